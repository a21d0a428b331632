// Runs before the first paint, so that a chosen theme does not flash.
(() => {
  const read = () => { try { return localStorage.getItem('theme'); } catch { return null; } };
  const theme = read();
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
