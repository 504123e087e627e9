// What the browser keeps for the page. It may keep nothing: then the page goes
// on without.

function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

function write(storage: () => Storage, key: string, value: string | null): void {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, value);
  } catch {
    // Private windows and full disks refuse.
  }
}

/// A choice that outlasts the tab: colours, language.
export const choice = {
  get: (name: string) => read(() => localStorage, `tidings.${name}`),
  set: (name: string, value: string | null) => write(() => localStorage, `tidings.${name}`, value),
};

/// What belongs to this tab alone and ends with it: the token.
export const ofTab = {
  get: (name: string) => read(() => sessionStorage, `tidings.${name}`),
  set: (name: string, value: string | null) => write(() => sessionStorage, `tidings.${name}`, value),
};
