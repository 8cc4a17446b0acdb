// The one script of a page: it shows and hides answers that are in the page already, and knows no data of its own.
export const script = `
(() => {
  const form = document.getElementById('filter');
  if (!form) return;
  form.hidden = false;
  const rows = [...document.querySelectorAll('article[data-suite]')].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const told = form.querySelector('output');
  const apply = () => {
    const words = form.search.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      const labels = row.dataset.labels.split(' ');
      const fits = (!form.suite.value || row.dataset.suite === form.suite.value)
        && (!form.label.value || labels.includes(form.label.value))
        && (!form.differ.checked || new Set(labels).size > 1)
        && words.every((word) => text.includes(word));
      row.hidden = !fits;
      if (fits) ++shown;
    }
    told.textContent = shown + ' of ' + rows.length + ' requests';
  };
  form.addEventListener('input', apply);
  form.addEventListener('submit', (event) => event.preventDefault());
  apply();
})();
`;
