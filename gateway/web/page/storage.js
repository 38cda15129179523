/**
 * The page's storage: on this device, or until the tab is closed. If the browser stores nothing (storage blocked,
 * absent or full), the page works and keeps the values in memory.
 */

function keeper(area) {
  const memory = new Map(); // values that could not be stored
  const attempt = (use) => {
    try {
      return use(area());
    } catch {
      return null; // absent storage is null, blocked storage throws on access, full storage on write
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
