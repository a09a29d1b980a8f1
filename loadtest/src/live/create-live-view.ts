import type { LiveView } from '../live-view.ts';

/** The full-screen view for a terminal; null when `out` is none, or when plain lines are better (CI). */
export function createLiveView(_out: NodeJS.WriteStream): LiveView | null {
  return null;
}
