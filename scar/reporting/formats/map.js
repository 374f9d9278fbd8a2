for (const box of document.querySelectorAll(".map")) {
  const data = JSON.parse(box.querySelector(".map-points").textContent);
  const looks = JSON.parse(box.querySelector(".map-previews").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const words = (text) => new Uint16Array(bytes(text).buffer);
  const [place, classes, decided] = [data.place, data.classes, data.decided].map(words);
  const [parts, outcome, slices, empty] = [data.parts, data.outcome, data.slices, data.empty].map(bytes);
  const plans = data.plans.map((plan) => ({name: plan.name, added: bytes(plan.added)}));
  const n = parts.length, none = 65535, hues = 137.508;
  const canvas = box.querySelector("canvas"), stage = box.querySelector(".stage");
  const tip = box.querySelector(".tip"), ring = box.querySelector(".ring"), legend = box.querySelector(".legend");
  const control = (name) => box.querySelector(`[name=${name}]`);
  const [colour, mark, show] = ["colour", "mark", "show"].map(control);
  const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const few = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a67c00", "#56b4e9", "#8a63d2", "#a0522d", "#44aa99", "#c2185b"];
  const shade = (index, count) => count <= few.length ? few[index] : `hsl(${(index * hues) % 360} 65% ${[45, 60][index % 2]}%)`;
  const used = [...new Set(classes)].filter((each) => each !== none).sort((a, b) => a - b);
  const rank = new Map(used.map((each, index) => [each, index]));
  const colourings = {
    class: {labels: used.map((each) => data.names[each]), shades: used.map((_, index) => shade(index, used.length)), of: (i) => rank.get(classes[i]) ?? -1},
    part: {labels: data.parts_named, shades: few, of: (i) => parts[i]},
    outcome: {labels: ["wrong", "right"], shades: ["#d55e00", "#0072b2"], of: (i) => outcome[i] - 1},
    slice: {labels: data.slices_named.map((name, index) => `${index + 1}: ${name}`), shades: data.slices_named.map((_, index) => shade(index, data.slices_named.length)), of: (i) => slices[i] - 1},
  };
  plans.forEach((plan, index) => {
    colourings[`plan${index}`] = {labels: ["in the primary set", "added by the plan", "left in the reserve"], shades: [few[0], few[1], few[5]],
      of: (i) => parts[i] === 0 ? 0 : plan.added[i] ? 1 : parts[i] === 1 ? 2 : -1};
  });
  const option = (select, value, text, off = false) => {
    const made = document.createElement("option");
    [made.value, made.textContent, made.disabled] = [value, text, off];
    select.append(made);
  };
  option(colour, "class", "class");
  option(colour, "part", "part");
  option(colour, "outcome", "right or wrong");
  if (data.slices_named.length) option(colour, "slice", "slice with few right answers");
  plans.forEach((plan, index) => option(colour, `plan${index}`, `plan: ${plan.name}`));
  const all = [...Array(n).keys()];
  const marks = {
    "": [], empty: all.filter((i) => empty[i]),
    ...Object.fromEntries(["suspected labels", "duplicates"].map((kind) => [kind, data.found[kind] || []])),
    ...Object.fromEntries(plans.map((plan, index) => [`plan${index}`, all.filter((i) => plan.added[i])])),
  };
  option(mark, "", "nothing");
  option(mark, "empty", `out of reach of the primary set (${grouped(marks.empty.length)})`);
  for (const kind of ["suspected labels", "duplicates"]) {
    option(mark, kind, kind in data.found ? `${kind} (${grouped(marks[kind].length)})` : `${kind}: nobody looked`, !(kind in data.found));
  }
  plans.forEach((plan, index) => option(mark, `plan${index}`, `planned additions: ${plan.name} (${grouped(marks[`plan${index}`].length)})`));
  option(show, "", "every part");
  data.parts_named.forEach((name, index) => option(show, String(index), name));
  const margin = 10, nearestZoom = 64;
  let shown = all, groups = [], wide = 1, high = 1, side = 1, across = 1, left = 0, at = -1, frame = 0;
  let [zoom, cx, cy] = [1, 0.5, 0.5];  // the middle of what is seen, in shares of the map
  const within = new Uint8Array(n);
  const x = (i) => left + margin + ((place[2 * i] / 65535 - cx) * zoom + 0.5) * (across - 2 * margin);
  const y = (i) => margin + (0.5 - (place[2 * i + 1] / 65535 - cy) * zoom) * (side - 2 * margin);
  const seen = (i) => within[i] && x(i) > -8 && x(i) < wide + 8 && y(i) > -8 && y(i) < high + 8;
  const ordered = () => {
    const {of} = colourings[colour.value], found = new Map();
    for (const i of shown) {
      const category = of(i);
      if (!found.has(category)) found.set(category, []);
      found.get(category).push(i);
    }
    return [...found].sort((a, b) => a[0] - b[0]);
  };
  const measure = () => {
    const scale = devicePixelRatio || 1;
    [wide, high] = [stage.clientWidth, stage.clientHeight];
    [side, across] = [Math.min(wide, high), Math.min(wide, 1.6 * high)];  // directions mean nothing: it may be wider than high
    left = (wide - across) / 2;
    [canvas.width, canvas.height] = [wide * scale, high * scale];
  };
  const dots = (visible, colours, radius) => {  // into pixels: 50 000 shapes would take a canvas too long
    const {width, height} = canvas, image = new ImageData(width, height), ink = image.data;
    const pen = canvas.getContext("2d"), scale = width / wide, reach = Math.ceil(radius * scale), mask = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const cover = 0.85 * Math.min(1, radius * scale + 0.5 - Math.hypot(dx, dy));
        if (cover > 0) mask.push([dx, dy, cover]);
      }
    }
    visible.forEach(([, own], index) => {
      pen.fillStyle = colours[index];  // reads back as #rrggbb
      const [red, green, blue] = [1, 3, 5].map((start) => parseInt(pen.fillStyle.slice(start, start + 2), 16));
      for (const i of own) {
        const [px, py] = [Math.round(x(i) * scale), Math.round(y(i) * scale)];
        for (const [dx, dy, cover] of mask) {
          if (px + dx < 0 || px + dx >= width || py + dy < 0 || py + dy >= height) continue;
          const at = 4 * ((py + dy) * width + px + dx), under = ink[at + 3] / 255 * (1 - cover), sum = cover + under;
          ink[at] = (red * cover + ink[at] * under) / sum;
          ink[at + 1] = (green * cover + ink[at + 1] * under) / sum;
          ink[at + 2] = (blue * cover + ink[at + 2] * under) / sum;
          ink[at + 3] = 255 * sum;
        }
      }
    });
    pen.putImageData(image, 0, 0);
  };
  const draw = () => {
    if (!canvas.width || !canvas.height) return;  // as in a window that shows nothing of it
    const style = getComputedStyle(document.documentElement), scale = devicePixelRatio || 1;
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const visible = groups.map(([category, own]) => [category, zoom > 1 ? own.filter(seen) : own]);
    const count = visible.reduce((sum, [, own]) => sum + own.length, 0);
    const radius = Math.max(1.2, Math.min(zoom > 1 ? 5 : 3.2, side / 5 / Math.sqrt(count)));
    const {shades} = colourings[colour.value];
    dots(visible, visible.map(([category]) => category < 0 ? style.getPropertyValue("--grid") : shades[category]), radius);
    pen.strokeStyle = style.getPropertyValue("--ink");
    pen.lineWidth = 1.1;
    pen.beginPath();
    const size = radius + 2;
    for (const i of marks[mark.value]) {
      if (!seen(i)) continue;
      if (mark.value === "empty") {
        pen.moveTo(x(i) - size, y(i) - size); pen.lineTo(x(i) + size, y(i) + size);
        pen.moveTo(x(i) - size, y(i) + size); pen.lineTo(x(i) + size, y(i) - size);
      } else if (mark.value === "duplicates") {
        pen.rect(x(i) - size, y(i) - size, 2 * size, 2 * size);
      } else {
        pen.moveTo(x(i) + size, y(i)); pen.arc(x(i), y(i), size, 0, 2 * Math.PI);
      }
    }
    pen.stroke();
  };
  const describe = () => {
    const {labels, shades} = colourings[colour.value], most = 24;
    const counts = groups.filter(([category]) => category >= 0).sort((a, b) => b[1].length - a[1].length);
    const lines = counts.slice(0, most).map(([category, own]) => {
      const [line, swatch] = [document.createElement("li"), document.createElement("span")];
      swatch.className = "swatch";
      swatch.style.background = shades[category];
      line.append(swatch, `${labels[category]} (${grouped(own.length)})`);
      return line;
    });
    const rest = shown.length - counts.slice(0, most).reduce((sum, [, own]) => sum + own.length, 0);
    if (rest) {
      const line = document.createElement("li");
      line.textContent = `others (${grouped(rest)})`;
      lines.push(line);
    }
    legend.replaceChildren(...lines);
  };
  const facts = (i) => [
    data.ids[i],
    [classes[i] === none ? "no class" : data.names[classes[i]], data.parts_named[parts[i]]].join(" · "),
    ...(outcome[i] ? [outcome[i] === 2 ? "decided rightly" : `decided wrongly${decided[i] === none ? "" : `, as ${data.names[decided[i]]}`}`] : []),
    ...(slices[i] ? [`slice ${slices[i]}${looks.words[slices[i]] ? `: ${looks.words[slices[i]].join(", ")}` : ""}`] : []),
    ...plans.filter((plan) => plan.added[i]).map((plan) => `added by ${plan.name}`),
    ...Object.entries(data.found).filter(([, own]) => own.includes(i)).map(([kind]) => ({"suspected labels": "suspected label", duplicates: "duplicate"})[kind]),
    ...(empty[i] ? ["out of reach of the primary set"] : []),
    ...(looks.texts[i] ? [`“${looks.texts[i]}”`] : []),
  ];
  const point = (i) => {
    at = i;
    tip.hidden = ring.hidden = i < 0;
    if (i < 0) return;
    const lines = facts(i).map((text, index) => {
      const line = document.createElement(index ? "span" : "strong");
      line.textContent = text;
      return line;
    });
    if (looks.pictures[i]) {
      const picture = new Image();
      picture.src = `data:image/jpeg;base64,${looks.pictures[i]}`;
      picture.alt = "";
      lines.unshift(picture);
    }
    tip.replaceChildren(...lines);
    ring.style.transform = `translate(${x(i)}px, ${y(i)}px)`;
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const right = x(i) + 14 + width <= wide;
    tip.style.left = `${right ? x(i) + 14 : Math.max(0, Math.min(x(i) - 14 - width, wide - width))}px`;
    tip.style.top = `${Math.max(0, Math.min(y(i) + (right ? -10 : 14), high - height))}px`;
  };
  const nearest = (px, py, reach, allowed = () => true) => {
    let [best, found] = [reach * reach, -1];
    for (const i of shown) {
      const away = (x(i) - px) ** 2 + (y(i) - py) ** 2;
      if (away < best && allowed(i)) [best, found] = [away, i];
    }
    return found;
  };
  const inStage = (clientX, clientY) => { const own = stage.getBoundingClientRect(); return [clientX - own.left, clientY - own.top]; };
  const hover = (event) => {
    const found = nearest(...inStage(event.clientX, event.clientY), 14);
    if (found !== at) point(found);
  };
  const look = (nextZoom, nextX, nextY) => {
    zoom = Math.max(1, Math.min(nearestZoom, nextZoom));
    [cx, cy] = [nextX, nextY].map((middle) => Math.max(0.5 / zoom, Math.min(1 - 0.5 / zoom, middle)));
    canvas.classList.toggle("zoomed", zoom > 1);
    point(at >= 0 && seen(at) ? at : -1);
    frame ||= requestAnimationFrame(() => { frame = 0; draw(); });  // of many events in a frame, one drawing
  };
  const move = (dx, dy) => look(zoom, cx - dx / zoom / (across - 2 * margin), cy + dy / zoom / (side - 2 * margin));
  const zoomBy = (factor, px = left + across / 2, py = side / 2) => {
    const next = Math.max(1, Math.min(nearestZoom, zoom * factor));
    const [u, v] = [(px - left - margin) / (across - 2 * margin) - 0.5, 0.5 - (py - margin) / (side - 2 * margin)];
    look(next, cx + u / zoom - u / next, cy + v / zoom - v / next);  // what is under the pointer stays there
  };
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;  // the wheel alone scrolls the page
    event.preventDefault();
    zoomBy(2 ** (-event.deltaY / 200), ...inStage(event.clientX, event.clientY));
  }, {passive: false});
  canvas.addEventListener("dblclick", (event) => zoomBy(2, ...inStage(event.clientX, event.clientY)));
  const held = new Map();
  const between = () => {
    const [[ax, ay], [bx, by]] = held.values();
    return [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
  };
  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, [event.clientX, event.clientY]);
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    hover(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return hover(event);
    const [from, fromX, fromY] = held.size === 2 ? between() : [0, ...before];
    held.set(event.pointerId, [event.clientX, event.clientY]);
    const [to, toX, toY] = held.size === 2 ? between() : [0, event.clientX, event.clientY];
    if (zoom > 1) move(toX - fromX, toY - fromY);
    if (from && to) zoomBy(to / from, ...inStage(toX, toY));
  });
  for (const ending of ["pointerup", "pointercancel"]) canvas.addEventListener(ending, (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") point(-1); });  // what a finger shows stays
  const tell = () => { status_.textContent = `zoom ${zoom.toFixed(1)}`; };
  const ends = {in: () => zoomBy(2), out: () => zoomBy(0.5), whole: () => look(1, 0.5, 0.5)};
  for (const button of box.querySelectorAll(".zoom button")) button.addEventListener("click", () => { ends[button.name](); tell(); });
  canvas.addEventListener("blur", () => point(-1));
  const ways = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") point(-1);
    const way = {"+": "in", "=": "in", "-": "out", 0: "whole"}[event.key];
    if (way && !event.ctrlKey && !event.metaKey) {
      if (way === "in" && at >= 0) zoomBy(2, x(at), y(at));
      else ends[way]();
      tell();
    }
    if (!(event.key in ways)) return;
    event.preventDefault();
    const [dx, dy] = ways[event.key];
    if (event.shiftKey) return move(-dx * side / 5, -dy * side / 5);
    const ahead = (i) => { const [a, b] = [x(i) - x(at), y(i) - y(at)]; return a * dx + b * dy > Math.abs(a * dy) + Math.abs(b * dx); };
    const next = at < 0 ? nearest(left + across / 2, side / 2, Infinity) : nearest(x(at), y(at), Infinity, ahead);
    if (next < 0) return;
    at = next;
    if (!seen(next)) look(zoom, place[2 * next] / 65535, place[2 * next + 1] / 65535);
    point(next);
    status_.textContent = facts(next).join("; ");
  });
  const update = () => {
    shown = show.value === "" ? all : all.filter((i) => parts[i] === Number(show.value));
    within.fill(0);
    for (const i of shown) within[i] = 1;
    groups = ordered();
    point(-1);
    draw();
    describe();
  };
  box.addEventListener("change", update);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const told = Object.entries(looks.words).map(([slice, own]) => `slice ${slice}: ${own.join(", ")}`);
  box.querySelector("[data-shows=words]").textContent = told.length ? `Words that tell a slice from the rest: ${told.join("; ")}.` : "";
  box.hidden = false;
  box.nextElementSibling.open = false;
  if (marks.empty.length) mark.value = "empty";
  measure();
  new ResizeObserver(() => { point(-1); measure(); draw(); }).observe(stage);
  update();
}
