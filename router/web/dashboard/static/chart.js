// Draws each [data-chart] with uPlot (loaded before) in the style sheet's colours; its table stays for others.
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// light-dark() is only worked out where it is used: ask an element for the colour it got.
function colour(name) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function formatters(told) {
  // A day before its month, as everywhere else on the page.
  const language = told.language === "en" ? "en-GB" : told.language;
  const number = new Intl.NumberFormat(language, told.share ? { style: "percent", maximumFractionDigits: 1 } : { maximumFractionDigits: 1 });
  const options = { timeZone: told.zone };
  const day = new Intl.DateTimeFormat(language, { ...options, day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(language, { ...options, hour: "2-digit", minute: "2-digit", hour12: false });
  const both = new Intl.DateTimeFormat(language, { ...options, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
  const at = (format) => (seconds) => format.format(new Date(seconds * 1000));
  return { number: (value) => (value == null ? "–" : number.format(value)), day: at(day), hour: at(hour), both: at(both) };
}

function stacked(told) {
  const sums = told.x.map(() => 0);
  return told.lines.map((line) => {
    if (line.kind !== "bars") return line.values;
    return line.values.map((value, place) => (sums[place] += value || 0));
  });
}

function drawn(place) {
  const told = JSON.parse(place.dataset.chart);
  const write = formatters(told);
  const span = told.x.length > 1 ? told.x.at(-1) - told.x[0] : 0;
  const long = span > 2 * 86400;
  const step = told.x.length > 1 ? told.x[1] - told.x[0] : 86400;
  const label = (x) => {
    const found = told.labels[told.x.indexOf(x)];
    if (found) return found;
    return told.time ? (step >= 86400 ? write.day(x) : write.both(x)) : "";
  };
  const values = stacked(told);
  const bars = uPlot.paths.bars({ size: [0.72, 48], radius: 0.12 });
  const steps = uPlot.paths.stepped({ align: 1 });
  const line = (one, number) => {
    const paint = colour(`--series-${one.colour}`);
    const isBars = one.kind === "bars";
    return {
      label: one.label,
      stroke: paint,
      fill: isBars ? paint : one.kind === "area" ? paint.replace("rgb(", "rgba(").replace(")", ", 0.16)") : undefined,
      width: isBars ? 0 : 1.75,
      paths: isBars ? bars : one.kind === "step" ? steps : undefined,
      points: { show: !isBars && told.x.length < 3 },
      value: (_, __, ___, place) => (place == null ? "–" : write.number(one.values[place])),
      number,
    };
  };
  // The tallest of a stack is drawn first, so that the others stand before it.
  const order = told.lines.map((_, number) => number).sort((a, b) => (told.lines[a].kind === "bars" && told.lines[b].kind === "bars" ? b - a : a - b));
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--quiet"), grid, ticks: { show: false }, font: `11px ${style("--font")}` };
  const width = () => Math.max(220, place.clientWidth);
  const options = {
    width: width(),
    height: 210,
    legend: { live: true },
    cursor: { y: false, points: { size: 6 } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), told.zone),
    scales: {
      x: {
        time: told.time,
        range: (_, low, high) => (told.lines.some((one) => one.kind === "bars") ? [low - step * 0.6, high + step * 0.6] : [low, high]),
      },
      y: { range: (_, __, high) => [0, Math.max(told.share ? 0.05 : 4, high * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        space: told.time ? 64 : 46,
        values: (_, splits) => splits.map((x) => (told.time ? (long ? write.day(x) : write.hour(x)) : (told.labels[told.x.indexOf(x)] ?? ""))),
        incrs: told.time ? undefined : [1, 2, 3, 4, 6, 7, 12, 14, 28, 56, 112, 365, 730],
      },
      { ...axis, size: 48, values: (_, splits) => splits.map(write.number), incrs: told.share ? undefined : [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000, 50000, 100000] },
    ],
    series: [{ label: place.dataset.x, value: (_, x) => (x == null ? "–" : label(x)) }, ...order.map((number) => line(told.lines[number], number))],
  };
  place.hidden = false;
  place.replaceChildren();
  options.width = width();
  const chart = new uPlot(options, [told.x, ...order.map((number) => values[number])], place);
  return { chart, width };
}

const places = [...document.querySelectorAll("[data-chart]")];
let charts = [];
const drawAll = () => {
  for (const { chart } of charts) chart.destroy();
  charts = places.map(drawn);
};
drawAll();
let waiting = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    for (const { chart, width } of charts) chart.setSize({ width: width(), height: 210 });
  });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
