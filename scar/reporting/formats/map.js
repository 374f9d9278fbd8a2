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
  const byClass = new Map(used.map((each, index) => [each, shade(index, used.length)]));
  const colourings = {
    class: {labels: used.map((each) => data.names[each]), shades: [...byClass.values()], of: (i) => used.indexOf(classes[i])},
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
  const margin = 10;
  let shown = all, side = 1, across = 1, left = 0, at = -1;
  const x = (i) => left + margin + place[2 * i] / 65535 * (across - 2 * margin);
  const y = (i) => margin + (1 - place[2 * i + 1] / 65535) * (side - 2 * margin);
  const ordered = () => {
    const {of} = colourings[colour.value], found = new Map();
    for (const i of shown) {
      const category = of(i);
      if (!found.has(category)) found.set(category, []);
      found.get(category).push(i);
    }
    return [...found].sort((a, b) => a[0] - b[0]);
  };
  const draw = () => {
    const style = getComputedStyle(document.documentElement), scale = devicePixelRatio || 1;
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    [side, across] = [Math.min(width, height), Math.min(width, 1.6 * height)];  // directions mean nothing: it may be wider than high
    left = (width - across) / 2;
    [canvas.width, canvas.height] = [width * scale, height * scale];
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const radius = Math.max(1.2, Math.min(3.2, side / 5 / Math.sqrt(shown.length)));
    const {shades} = colourings[colour.value];
    for (const [category, own] of ordered()) {
      pen.fillStyle = category < 0 ? style.getPropertyValue("--grid") : shades[category];
      pen.globalAlpha = category < 0 ? 0.8 : 0.85;
      pen.beginPath();
      for (const i of own) {
        pen.moveTo(x(i) + radius, y(i));
        pen.arc(x(i), y(i), radius, 0, 2 * Math.PI);
      }
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = style.getPropertyValue("--ink");
    pen.lineWidth = 1.1;
    pen.beginPath();
    const size = radius + 2, within = new Set(shown);
    for (const i of marks[mark.value]) {
      if (!within.has(i)) continue;
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
    const counts = ordered().filter(([category]) => category >= 0).sort((a, b) => b[1].length - a[1].length);
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
    const right = x(i) + 14 + width <= stage.clientWidth;
    tip.style.left = `${right ? x(i) + 14 : Math.max(0, Math.min(x(i) - 14 - width, stage.clientWidth - width))}px`;
    tip.style.top = `${Math.max(0, Math.min(y(i) + (right ? -10 : 14), stage.clientHeight - height))}px`;
  };
  const nearest = (px, py, reach, allowed = () => true) => {
    let [best, found] = [reach * reach, -1];
    for (const i of shown) {
      const away = (x(i) - px) ** 2 + (y(i) - py) ** 2;
      if (away < best && allowed(i)) [best, found] = [away, i];
    }
    return found;
  };
  const hover = (event) => {
    const frame = stage.getBoundingClientRect();
    const found = nearest(event.clientX - frame.left, event.clientY - frame.top, 14);
    if (found !== at) point(found);
  };
  canvas.addEventListener("pointermove", hover);
  canvas.addEventListener("pointerdown", hover);
  canvas.addEventListener("pointerleave", () => point(-1));
  canvas.addEventListener("blur", () => point(-1));
  const ways = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") point(-1);
    if (!(event.key in ways)) return;
    event.preventDefault();
    const [dx, dy] = ways[event.key];
    const ahead = (i) => { const [a, b] = [x(i) - x(at), y(i) - y(at)]; return a * dx + b * dy > Math.abs(a * dy) + Math.abs(b * dx); };
    const next = at < 0 ? nearest(left + across / 2, side / 2, Infinity) : nearest(x(at), y(at), Infinity, ahead);
    if (next < 0) return;
    point(next);
    status_.textContent = facts(next).join("; ");
  });
  const update = () => {
    shown = show.value === "" ? all : all.filter((i) => parts[i] === Number(show.value));
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
  new ResizeObserver(() => { point(-1); draw(); }).observe(stage);
  update();
}
