// What every part needs: the site's settings, which script.py fills in, and ways to fail quietly.
export const config = LEASELINE_CONFIG;
export const w = window;
export const d = document;

export const attempt = (work, otherwise) => {
  try {
    return work();
  } catch (error) {
    return otherwise;
  }
};

export const warn = (error) => attempt(() => w.leaselineDebug && w.console.warn("leaseline", error));

// A door into this code: whatever goes wrong behind it, the page does not notice.
export const guarded = (work) => (value) => {
  try {
    return work(value);
  } catch (error) {
    warn(error);
  }
};
