/**
 * What the browser keeps for the page: on this device, or until the tab is closed. Where it keeps nothing (storage
 * blocked, absent or full) the page works all the same and remembers until it is left.
 */

function keeper(area) {
  const memory = new Map(); // what could not be stored
  const attempt = (use) => {
    try {
      return use(area());
    } catch {
      return null; // absent is null, blocked throws when it is named, full throws when it is written
    }
  };
  const remove = (name) => {
    memory.delete(name);
    attempt((storage) => storage.removeItem(name));
  };
  return {
    get: (name) => memory.get(name) ?? attempt((storage) => storage.getItem(name)),
    remove,
    /** @returns {boolean} whether it will still be there after a reload */
    set(name, value) {
      remove(name);
      const isStored = attempt((storage) => (storage.setItem(name, value), true)) ?? false;
      if (!isStored) memory.set(name, value);
      return isStored;
    },
  };
}

export const device = keeper(() => localStorage);
export const tab = keeper(() => sessionStorage);
