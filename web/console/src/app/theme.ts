// Light or dark: as the system is, unless chosen.

import { choice } from '../lib/kept';
import { Store } from '../lib/store';

export const THEMES = ['auto', 'light', 'dark'] as const;

export type Theme = (typeof THEMES)[number];

const isTheme = (text: string | null): text is Theme => THEMES.some(theme => theme === text);

const chosen = choice.get('theme');

export const theme = new Store<Theme>(isTheme(chosen) ? chosen : 'auto');

/// Rises whenever colours have become others: what is drawn is then drawn anew.
export const repaint = new Store(0);

function apply(): void {
  document.documentElement.dataset.theme = theme.get();
  repaint.set(repaint.get() + 1);
}

theme.follow(value => {
  choice.set('theme', value === 'auto' ? null : value);
  apply();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
apply();

/// What a colour of the style sheet is at this moment, for a canvas.
export function colour(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
