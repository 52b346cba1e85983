// A page of another kind than the tests' plain ones: bundled, minified, drawn by React in the browser.
export default {
  build: { outDir: process.env.OUT, emptyOutDir: true },
  logLevel: "warn"
};
