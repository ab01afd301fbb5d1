(function (d) {
  'use strict';
  var root = d.documentElement;
  root.classList.add('js');

  // colours: as the system has them, light or dark
  var buttons = d.querySelectorAll('.theme button');
  function colours(value) {
    if (value === 'auto') root.removeAttribute('data-theme');
    else root.setAttribute('data-theme', value);
    buttons.forEach(function (b) { b.setAttribute('aria-pressed', b.value === value); });
  }
  buttons.forEach(function (b) { b.onclick = function () { colours(b.value); }; });
  colours('auto');

  // scrubbers: the slider, or the pointer over the plot, selects what is read out
  d.querySelectorAll('.scrub').forEach(function (scrub) {
    var stops = JSON.parse(scrub.dataset.steps);
    var slider = scrub.querySelector('input'), out = scrub.querySelector('output');
    var lines = scrub.closest('.col,figure').querySelectorAll('.cur');
    var plot = lines[0].ownerSVGElement;
    slider.setAttribute('aria-valuetext', stops[0][1]);
    function go(k) {
      slider.value = k;
      out.textContent = stops[k][1];
      slider.setAttribute('aria-valuetext', stops[k][1]);
      lines.forEach(function (line) {
        line.setAttribute('x1', stops[k][0] + '%');
        line.setAttribute('x2', stops[k][0] + '%');
        line.style.visibility = 'visible';
      });
    }
    slider.addEventListener('input', function () { go(+slider.value); });
    plot.addEventListener('pointermove', function (event) {
      var box = plot.getBoundingClientRect();
      var x = (event.clientX - box.left) / (plot.clientWidth || box.width) * 100, best = 0;
      stops.forEach(function (stop, k) {
        if (Math.abs(stop[0] - x) < Math.abs(stops[best][0] - x)) best = k;
      });
      go(best);
    });
  });

  d.querySelectorAll('.copy').forEach(function (button) {
    button.onclick = function () {
      var text = button.parentNode.querySelector('code').textContent.replace(/^\$ /gm, '');
      navigator.clipboard.writeText(text).then(function () { button.textContent = 'Copied'; });
    };
  });

  // the contents show which part is being read
  var links = [].slice.call(d.querySelectorAll('nav.toc a'));
  if (!window.IntersectionObserver) return;
  var watch = new IntersectionObserver(function (seen) {
    seen.forEach(function (part) {
      if (!part.isIntersecting) return;
      links.forEach(function (a) {
        if (a.hash === '#' + part.target.id) a.setAttribute('aria-current', 'true');
        else a.removeAttribute('aria-current');
      });
    });
  }, { rootMargin: '-20% 0px -75%' });
  links.forEach(function (a) {
    var part = d.getElementById(a.hash.slice(1));
    if (part) watch.observe(part);
  });
})(document);
