/**
 * Preloaded into a worker (`node --import`): its wall clock, as JavaScript sees it, is off by
 * VORTEX_CHAOS_CLOCK_SHIFT_MS. The machine's own clock is left alone, and so are the monotonic ones.
 */
const shiftMs = Number(process.env.VORTEX_CHAOS_CLOCK_SHIFT_MS ?? 0);
const TrueDate = Date;

class ShiftedDate extends TrueDate {
  constructor(...args: [] | [number | string | Date]) {
    if (args.length === 0) super(TrueDate.now() + shiftMs);
    else super(...args);
  }

  static override now(): number {
    return TrueDate.now() + shiftMs;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
