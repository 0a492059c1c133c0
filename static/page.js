// Written for ECMAScript 5: a browser that does not know one expression of a script runs none of it.
(function () {
  "use strict";

  function each(list, apply) {
    for (var i = 0; i < list.length; i += 1) apply(list[i]);
  }

  // The form is sent by itself. The prototype's method, since a field named "submit" would hide the form's own.
  var form = document.querySelector("form[data-submit]");
  if (form) HTMLFormElement.prototype.submit.call(form);

  // Apps sign out in frames, then the page redirects: one second after all frames have loaded, after five seconds at
  // the latest.
  var next = document.querySelector("a[data-continue]");
  if (next) {
    var leave = function () {
      clearTimeout(latest);
      location.replace(next.href);
    };
    var latest = setTimeout(leave, 5000);
    addEventListener("load", function () {
      setTimeout(leave, 1000);
    });
  }

  // A logo that does not load gives way to the letter behind it.
  each(document.querySelectorAll("img[data-logo]"), function (logo) {
    function remove() {
      if (logo.parentNode) logo.parentNode.removeChild(logo);
    }
    if (logo.complete && !logo.naturalWidth) remove();
    else logo.addEventListener("error", remove);
  });

  // Letters without their marks, where the browser can tell them apart.
  var marks = null;
  try {
    marks = new RegExp("\\p{M}", "gu");
  } catch (unknown) {
    marks = /[\u0300-\u036f]/g;
  }
  function fold(text) {
    var apart = text.normalize ? text.normalize("NFKD") : text;
    return apart.replace(marks, "").toLocaleLowerCase();
  }

  // A long list of providers: the select gives way to a search over buttons.
  var search = document.querySelector("[data-search]");
  if (search) {
    var items = search.querySelectorAll("li");
    var status = search.querySelector("[role=status]");
    var field = search.querySelector("input[type=search]");
    field.addEventListener("input", function () {
      var wanted = fold(field.value.trim());
      var found = false;
      each(items, function (item) {
        item.hidden = fold(item.querySelector(".name").textContent).indexOf(wanted) < 0;
        found = found || !item.hidden;
      });
      status.textContent = found ? "" : status.getAttribute("data-none");
    });
    // Enter takes the only one that is left. While an input method is at work, Enter belongs to it.
    field.addEventListener("keydown", function (event) {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      var left = [];
      each(items, function (item) {
        if (!item.hidden) left.push(item);
      });
      if (left.length === 1) left[0].querySelector("button").click();
    });
    document.querySelector("[data-plain]").hidden = true;
    search.hidden = false;
  }
})();
