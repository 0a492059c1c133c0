"use strict";

// The form is sent by itself. The prototype's method, since a field named "submit" would hide the form's own.
const form = document.querySelector("form[data-submit]");
if (form) HTMLFormElement.prototype.submit.call(form);

// Apps sign out in frames, then the page redirects: one second after all frames have loaded, after five seconds at
// the latest.
const next = document.querySelector("a[data-continue]");
if (next) {
  const leave = () => {
    clearTimeout(latest);
    location.replace(next.href);
  };
  const latest = setTimeout(leave, 5000);
  addEventListener("load", () => setTimeout(leave, 1000));
}

// A logo that does not load gives way to the letter behind it.
for (const logo of document.querySelectorAll("img[data-logo]")) {
  if (logo.complete && !logo.naturalWidth) logo.remove();
  else logo.addEventListener("error", () => logo.remove());
}

// A long list of providers: the select gives way to a search over buttons.
const search = document.querySelector("[data-search]");
if (search) {
  const items = [...search.querySelectorAll("li")];
  const status = search.querySelector("[role=status]");
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
  search.querySelector("input[type=search]").addEventListener("input", (event) => {
    const wanted = fold(event.target.value.trim());
    for (const item of items) item.hidden = !fold(item.querySelector(".name").textContent).includes(wanted);
    status.textContent = items.every((item) => item.hidden) ? status.dataset.none : "";
  });
  document.querySelector("[data-plain]").hidden = true;
  search.hidden = false;
}
