// Colours, language, token.

import { useRef } from 'preact/hooks';
import { token } from '../hub/api';
import { useStore } from '../lib/store';
import { Icon } from '../parts/icon';
import { TokenForm } from '../parts/refusal';
import { LANGUAGES, TEXTS, chooseLanguage, useText } from '../text';
import { THEMES, theme } from './theme';

export function Settings() {
  return (
    <div class="settings">
      <ThemeSwitch />
      <LanguageSwitch />
      <TokenSwitch />
    </div>
  );
}

/// One press, the next of the three.
function ThemeSwitch() {
  const { t } = useText();
  const chosen = useStore(theme);
  const next = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length] ?? 'auto';
  const label = `${t.theme}: ${t.themes[chosen]}`;
  return (
    <button type="button" class="bare" data-theme-switch onClick={() => theme.set(next)} aria-label={label} title={label}>
      <Icon name={chosen} />
    </button>
  );
}

/// Names the language that it leads to, in that language.
function LanguageSwitch() {
  const { lang } = useText();
  const other = LANGUAGES[(LANGUAGES.indexOf(lang) + 1) % LANGUAGES.length] ?? 'en';
  return (
    <button type="button" class="bare" data-language-switch lang={other} onClick={() => chooseLanguage(other)}>
      {TEXTS[other].language}
    </button>
  );
}

function TokenSwitch() {
  const { t } = useText();
  const inUse = useStore(token) !== '';
  const dialog = useRef<HTMLDialogElement>(null);
  const close = () => dialog.current?.close();
  const label = inUse ? t.token.inUse : t.token.field;
  return (
    <>
      <button
        type="button" class={inUse ? 'bare on' : 'bare'} data-token-switch aria-label={label} title={label}
        onClick={() => dialog.current?.showModal()}
      >
        <Icon name="key" />
      </button>
      <dialog ref={dialog} aria-labelledby="token-title">
        <div class="head">
          <h2 id="token-title">{inUse ? t.token.inUse : t.token.field}</h2>
          <button type="button" class="bare" onClick={close} aria-label={t.close}><Icon name="close" /></button>
        </div>
        <TokenForm admin onDone={close} />
      </dialog>
    </>
  );
}
