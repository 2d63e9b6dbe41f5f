// The table of claims: search and filters, kept in the address (#search=…&verdict=…). Without this file the whole table
// is there, and no filter shows.
(function () {
  "use strict";
  var form = document.getElementById("filters");
  if (!form) return;
  var fields = ["search", "paper", "question", "verdict", "tier"];
  var rows = Array.prototype.slice.call(document.querySelectorAll("table.claims tbody tr"));
  var count = document.getElementById("count");
  var none = document.getElementById("none");
  var table = document.querySelector("table.claims");
  var texts = rows.map(function (row) { return plain(row.textContent); });

  function plain(text) {
    return text.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "").replace(/\s+/g, " ");
  }

  function values() {
    var found = {};
    fields.forEach(function (name) { found[name] = form.elements[name].value.trim(); });
    return found;
  }

  // One of a row's "tier:verdict" pairs has both the tier and the verdict that are asked for.
  function fits(row, text, asked) {
    if (asked.paper && row.dataset.paper !== asked.paper) return false;
    if (asked.question && row.dataset.question !== asked.question) return false;
    var pair = row.dataset.pairs.trim().split(" ").some(function (one) {
      var cut = one.indexOf(":");
      return (!asked.tier || one.slice(0, cut) === asked.tier) && (!asked.verdict || one.slice(cut + 1) === asked.verdict);
    });
    return pair && plain(asked.search).split(" ").every(function (word) { return text.indexOf(word) >= 0; });
  }

  function show() {
    var asked = values();
    var shown = 0;
    rows.forEach(function (row, index) {
      var fit = fits(row, texts[index], asked);
      row.hidden = !fit;
      shown += fit ? 1 : 0;
    });
    var all = shown === rows.length;
    count.textContent = all ? rows.length + " claims" : shown + " of " + rows.length + " claims";
    none.hidden = shown > 0;
    table.hidden = shown === 0;
  }

  function address() {
    var asked = values();
    var parts = fields.filter(function (name) { return asked[name]; }).map(function (name) {
      return name + "=" + encodeURIComponent(asked[name]);
    });
    return "#" + (parts.join("&") || "claims");
  }

  // Where the address holds filters they are set; any other fragment leaves them as they are.
  function read() {
    var hash = location.hash.slice(1);
    if (hash.indexOf("=") < 0) return false;
    var asked = {};
    hash.split("&").forEach(function (part) {
      var cut = part.indexOf("=");
      try { asked[part.slice(0, cut)] = decodeURIComponent(part.slice(cut + 1)); } catch (error) { /* no filter */ }
    });
    fields.forEach(function (name) {
      form.elements[name].value = asked[name] || "";
      if (form.elements[name].value !== (asked[name] || "")) form.elements[name].value = "";  // no such choice
    });
    return true;
  }

  function changed() {
    show();
    history.replaceState(null, "", address());
  }

  function arrive() {
    if (read()) {
      show();
      document.getElementById("claims").scrollIntoView();
    }
  }

  function reset() {
    form.reset();
    changed();
    form.elements.search.focus();
  }

  form.hidden = false;
  form.addEventListener("input", changed);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("reset", function () { setTimeout(changed, 0); });
  document.getElementById("show-all").addEventListener("click", reset);
  window.addEventListener("hashchange", arrive);
  show();
  arrive();
})();
