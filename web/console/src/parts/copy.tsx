// A button that puts a text on the clipboard.

import type { RefObject } from 'preact';
import { useState } from 'preact/hooks';
import { useText } from '../text';
import { Icon } from './icon';

const SHOWN_MS = 1500;

/// Where the clipboard is out of reach (over HTTP from another machine), what
/// shows the text is selected instead.
export function Copy({ text, shownIn, label }: {
  text: string; shownIn?: RefObject<HTMLElement | null>; label?: string;
}) {
  const { t } = useText();
  const [done, setDone] = useState<'copied' | 'selected' | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone('copied');
    } catch {
      if (shownIn?.current) getSelection()?.selectAllChildren(shownIn.current);
      setDone('selected');
    }
    setTimeout(() => setDone(null), SHOWN_MS);
  };
  return (
    <button type="button" class="small" onClick={copy} aria-label={label && !done ? `${t.copy}: ${label}` : undefined}>
      <Icon name="copy" /><span aria-live="polite">{done ? t[done] : t.copy}</span>
    </button>
  );
}
