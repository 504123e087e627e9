// A control with its label above it.

import type { ComponentChildren, TargetedEvent } from 'preact';

export function Field({ label, hint, wide, children }: {
  label: string; hint?: string | undefined; wide?: boolean; children: ComponentChildren;
}) {
  return (
    <label class={wide ? 'field wide' : 'field'}>
      <span class="name">{label}{hint && <small>{hint}</small>}</span>
      {children}
    </label>
  );
}

/// A choice among few.
export function Select<K extends string>({ label, value, options, onChoose }: {
  label: string; value: K; options: Record<K, string>; onChoose: (value: K) => void;
}) {
  const choose = (e: TargetedEvent<HTMLSelectElement>) => onChoose(e.currentTarget.value as K);
  return (
    <Field label={label}>
      <select value={value} onChange={choose}>
        {(Object.keys(options) as K[]).map(key => <option key={key} value={key}>{options[key]}</option>)}
      </select>
    </Field>
  );
}

/// A text that says what is wrong or done, where screen readers hear it.
export function Status({ kind, children }: { kind: 'good' | 'bad' | 'quiet'; children: ComponentChildren }) {
  return <p class={`status ${kind}`} role="status">{children}</p>;
}
