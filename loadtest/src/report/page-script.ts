/**
 * All script of the report: the words of what is pointed at or touched, and the theme. Without it the page loses
 * nothing but these; it asks nothing of any network, and no data is inside it.
 */
export const pageScript = `
'use strict';
(() => {
  const tip = document.getElementById('tip');
  const show = (event) => {
    const hot = event.target instanceof Element ? event.target.closest('[data-tip]') : null;
    if (hot === null) { tip.hidden = true; return; }
    tip.textContent = hot.dataset.tip;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(innerWidth - width - 8, event.clientX + 14));
    const above = event.clientY - height - 14;
    tip.style.left = left + 'px';
    tip.style.top = (above > 8 ? above : event.clientY + 18) + 'px';
  };
  for (const title of document.querySelectorAll('.hot > title')) title.remove();
  addEventListener('pointermove', show);
  addEventListener('pointerdown', show);
  addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });

  const button = document.getElementById('theme');
  const themes = ['system', 'light', 'dark'];
  let chosen = 0;
  button.hidden = false;
  button.addEventListener('click', () => {
    chosen = (chosen + 1) % themes.length;
    button.textContent = 'theme: ' + themes[chosen];
    if (chosen === 0) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = themes[chosen];
  });
})();
`;
