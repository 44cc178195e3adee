// What looks wrong in a laid-out page: text over text, text that is cut off, drawings and tables that do not fit.
// The value is a list of sentences, each naming the exhibit and the text. From a desk's width on, tables must fit.
(width) => {
  const desk = width >= 1180;
  const found = [];
  const short = (text) => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 60));
  const place = (element) => {
    const home = element.closest("figure[id], .tbl[id], table, pre, nav, header");
    return home ? home.id || home.tagName.toLowerCase() : "page";
  };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const over = (a, b, least) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > least &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > least;

  if (document.documentElement.scrollWidth > width)
    found.push(`SCROLLS SIDEWAYS: ${document.documentElement.scrollWidth} wide`);

  for (const box of document.querySelectorAll(".scroll"))
    if (desk && shown(box) && box.scrollWidth > box.clientWidth + 1)
      found.push(`${place(box)}: TABLE WIDER THAN THE PAGE by ${box.scrollWidth - box.clientWidth}`);

  for (const drawing of document.querySelectorAll("svg[role=img]")) {
    if (!shown(drawing)) continue;
    const frame = drawing.getBoundingClientRect();
    const texts = [...drawing.querySelectorAll("text")].filter((t) => t.textContent.trim());
    // the letters, without the space above and below them (before and after, where the text is upright)
    const letters = (t) => {
      const { left, right, top, bottom } = t.getBoundingClientRect();
      const turned = /rotate\(-?90/.test(t.getAttribute("transform") || "");
      const [x, y] = turned ? [(right - left) * 0.2, 0] : [0, (bottom - top) * 0.2];
      return { left: left + x, right: right - x, top: top + y, bottom: bottom - y };
    };
    const boxes = texts.map((t) => [t, letters(t)]);
    boxes.forEach(([text, box], i) => {
      if (box.left < frame.left - 3 || box.right > frame.right + 3 || box.top < frame.top - 3 || box.bottom > frame.bottom + 3)
        found.push(`${place(drawing)}: TEXT OUTSIDE THE DRAWING: ${short(text.textContent)}`);
      for (const [other, its] of boxes.slice(i + 1))
        if (over(box, its, 1))
          found.push(`${place(drawing)}: TEXT OVER TEXT: ${short(text.textContent)} and ${short(other.textContent)}`);
    });
    const marks = [...drawing.querySelectorAll("path, use, image")].filter((m) => m.getClientRects().length);
    if (marks.length < 3) found.push(`${place(drawing)}: EMPTY PLOT`);
    const smallest = Math.min(...texts.map((t) => parseFloat(getComputedStyle(t).fontSize) * frame.width / drawing.viewBox.baseVal.width));
    if (smallest < 8) found.push(`${place(drawing)}: TEXT OF ${smallest.toFixed(1)} PIXELS`);
  }

  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg, .skip, math") || !shown(element)) continue;
    const style = getComputedStyle(element);
    const cuts = [style.overflowX, style.overflowY].some((o) => o === "hidden" || o === "clip");
    if (cuts && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1))
      found.push(`${place(element)}: TEXT CUT OFF: ${short(element.textContent)}`);
  }

  const lines = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const home = node.parentElement;
    if (!node.data.trim() || home.closest("svg, .skip, math, style") || !shown(home)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      // the letters of a line, without the space above and below them
      if (box.width > 1) lines.push({ node, left: box.left, right: box.right, top: box.top + box.height * 0.2, bottom: box.bottom - box.height * 0.2 });
  }
  lines.sort((a, b) => a.top - b.top);
  const scroller = (node) => node.parentElement.closest(".scroll, .hl, pre");
  lines.forEach((line, i) => {
    for (let j = i + 1; j < lines.length && lines[j].top < line.bottom; j++)
      if (lines[j].node !== line.node && over(line, lines[j], 2) && scroller(line.node) === scroller(lines[j].node))
        found.push(`${place(line.node.parentElement)}: TEXT OVER TEXT: ${short(line.node.data)} and ${short(lines[j].node.data)}`);
  });
  return [...new Set(found)];
}
