// Points require.js at the copies beside this file, wherever the site is served from.
(() => {
  const here = new URL(".", document.currentScript.src).pathname.replace(/\/$/, "");
  require.config({
    paths: {
      anywidget: `${here}/anywidget`,
      "@jupyter-widgets/html-manager": `${here}/libembed-amd`,
      "@jupyter-widgets/html-manager/dist/libembed-amd": `${here}/libembed-amd`,
    },
  });
})();
