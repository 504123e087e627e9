// Small drawings of one stroke, in the colour of the text beside them.

const PATHS = {
  overview: 'M2 13.5h12M3.5 11V7.5M8 11V2.5M12.5 11V5',
  topics: 'M2.5 4h3M2.5 8h3M2.5 12h3M8 4h5.5M8 8h5.5M8 12h5.5',
  connections: 'M4 6.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM12 13.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM4 6.5v3a2 2 0 0 0 2 2h4',
  live: 'M1.5 8h3l2-5 3 10 2-5h3',
  history: 'M2.5 8a5.5 5.5 0 1 0 1.8-4.1M2.5 2v3h3M8 5v3.2l2.2 1.3',
  publish: 'M14 2 7.2 8.8M14 2l-4.2 12-2.6-5.2L2 6.2z',
  presence: 'M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 2.8a2.5 2.5 0 0 1 0 4.4M12 9.8c1.6.600 2.5 1.9 2.5 3.7',
  code: 'M5.5 4 1.5 8l4 4M10.5 4l4 4-4 4',
  auto: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12M8 5h3.5M8 8h6M8 11h3.5',
  light: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  dark: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
  key: 'M5 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM7.2 7.8 13.5 1.5M11 4l2.5 2.5',
  pause: 'M5 3v10M11 3v10',
  resume: 'M4.5 2.5v11l8.5-5.5z',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  secure: 'M4 7V5a4 4 0 0 1 8 0v2M3 7h10v7H3z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
