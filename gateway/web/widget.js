/**
 * Shows the page for visitors on another site, in place of this script:
 *   <script src="https://guide.example.org/widget.js" data-collection="east hall"></script>
 * GATEWAY_FRAME_ANCESTORS has to name that site. Optional: data-place (an exhibit's page), data-height (pixels; 640), and
 * data-title (the frame's name for screen readers).
 */
(() => {
  const script = document.currentScript;
  const { height = "640", title = "Semantic Image Matcher", ...address } = script.dataset;
  const frame = document.createElement("iframe");
  frame.src = `${new URL("./", script.src)}?${new URLSearchParams(address)}`;
  Object.assign(frame, { title, height, width: "100%", allow: "camera; clipboard-write; web-share" });
  frame.style.border = "0"; // by script, because the site's policy may forbid style attributes
  script.after(frame);
})();
