// The languages of the page.

import { choice } from '../lib/kept';
import { Store, useStore } from '../lib/store';
import { en, type Text } from './en';
import { zh } from './zh';

export const TEXTS = { en, zh } as const;

export type Language = keyof typeof TEXTS;

export const LANGUAGES = Object.keys(TEXTS) as Language[];

/// The language to begin in: what was chosen, or the first of the browser's
/// that there is.
export function languageFor(chosen: string | null, preferred: readonly string[]): Language {
  const known = (tag: string) => LANGUAGES.find(language => tag.toLowerCase().split('-')[0] === language);
  if (chosen && known(chosen)) return known(chosen) as Language;
  return preferred.map(known).find(found => found !== undefined) ?? 'en';
}

export const language = new Store<Language>(
  typeof navigator === 'undefined' ? 'en' : languageFor(choice.get('language'), navigator.languages));

export function chooseLanguage(chosen: Language): void {
  choice.set('language', chosen);
  language.set(chosen);
}

export function useText(): { t: Text; lang: Language } {
  const lang = useStore(language);
  return { t: TEXTS[lang], lang };
}
