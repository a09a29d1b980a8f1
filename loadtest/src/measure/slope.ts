/**
 * Least squares: how fast a level grows, and whether that is more than chance. Neighbouring levels resemble each other
 * (a request is in flight at several of them), so the number of independent ones is estimated from the correlation of
 * neighbouring residuals; without that, every busy second would look like growth.
 */
export function growth(points: readonly { atSeconds: number; level: number }[]): {
  perSecond: number;
  isSignificant: boolean;
} {
  const count = points.length;
  // Of fewer levels than seven seconds have, the correlation cannot be told: four-second probes cried wolf at half the limit.
  if (count < 28) return { perSecond: 0, isSignificant: false };
  const meanX = points.reduce((sum, { atSeconds }) => sum + atSeconds, 0) / count;
  const meanY = points.reduce((sum, { level }) => sum + level, 0) / count;
  let xx = 0;
  let xy = 0;
  for (const { atSeconds, level } of points) {
    xx += (atSeconds - meanX) ** 2;
    xy += (atSeconds - meanX) * (level - meanY);
  }
  const perSecond = xx === 0 ? 0 : xy / xx;
  const residuals = points.map(({ atSeconds, level }) => level - meanY - perSecond * (atSeconds - meanX));
  const squares = residuals.reduce((sum, residual) => sum + residual * residual, 0);
  if (squares === 0) return { perSecond, isSignificant: perSecond > 0 };
  let products = 0;
  for (let index = 1; index < count; index++)
    products += (residuals[index] ?? 0) * (residuals[index - 1] ?? 0);
  const correlation = Math.min(0.95, Math.max(0, products / squares));
  const independent = Math.max(4, count * ((1 - correlation) / (1 + correlation)));
  const error = Math.sqrt(squares / count / (independent - 2) / (xx / count));
  // One-sided at 2.5 %; with few independent points the normal quantile is too kind, so a little more is asked.
  return { perSecond, isSignificant: perSecond > (independent < 12 ? 2.5 : 2) * error };
}
