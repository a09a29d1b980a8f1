/**
 * Spreadsheet numbers as the sheet shows them: dates, percentages, thousands, decimals, currency (number formats of
 * ECMA-376 part 1, 18.8.30 and 18.8.31). Fractions and conditions are not followed; such a number is shown in full.
 */
export type NumberFormat = string;

/** The built-in formats that have no text in a file; all others are 'General'. */
export const builtInFormats: Record<number, NumberFormat> = {
  1: '0',
  2: '0.00',
  3: '#,##0',
  4: '#,##0.00',
  9: '0%',
  10: '0.00%',
  11: '0.00E+00',
  14: 'yyyy-mm-dd',
  15: 'd-mmm-yy',
  16: 'd-mmm',
  17: 'mmm-yy',
  18: 'h:mm AM/PM',
  19: 'h:mm:ss AM/PM',
  20: 'h:mm',
  21: 'h:mm:ss',
  22: 'yyyy-mm-dd h:mm',
  37: '#,##0',
  38: '#,##0',
  39: '#,##0.00',
  40: '#,##0.00',
  45: 'mm:ss',
  46: '[h]:mm:ss',
  47: 'mm:ss.0',
  49: '@',
};

export function shownNumber(value: number, format: NumberFormat, epoch1904 = false): string {
  const [positive = 'General', negative] = format.split(';');
  const isNegative = value < 0 && negative !== undefined;
  // A currency stands as `[$€-407]`, with the number of its language behind it.
  const section = (isNegative ? negative : positive)
    .replace(/\[\$([^\]-]*)[^\]]*\]/g, '"$1"')
    .replace(/\[(?:[a-z]+\d*|[<>=][^\]]*)\]/gi, (mark) => (/^\[(?:h+|m+|s+)\]$/i.test(mark) ? mark : ''));
  const bare = section.replace(/"[^"]*"|\\.|_./g, '');
  if (/^\s*general\s*$/i.test(bare) || bare.trim() === '' || bare.includes('@')) return general(value);
  if (/[ymdhs]/i.test(bare.replace(/E[+-]/gi, ''))) return shownDate(value, section, epoch1904);
  if (/[?/]/.test(bare)) return general(value);
  return shownDigits(isNegative ? -value : value, section, bare);
}

/** Fifteen digits, as spreadsheets keep: 0.1 + 0.2 is shown as 0.3. */
function general(value: number): string {
  return String(Number(value.toPrecision(15)));
}

function shownDigits(value: number, section: string, bare: string): string {
  const percent = bare.includes('%') ? 100 : 1;
  const core = /[#0][#0,]*(?:\.[#0]*)?(?:E[+-]0+)?/i.exec(bare)?.[0];
  if (core === undefined) return literal(section) || general(value);
  const scale = 1000 ** (/[#0](,+)(?:\.|$)/.exec(core)?.[1]?.length ?? 0);
  const [, places = ''] = /\.([#0]*)/.exec(core) ?? [];
  const scaled = (value * percent) / scale;
  let digits: string;
  if (/E[+-]/i.test(core)) digits = scaled.toExponential(places.length).toUpperCase();
  else {
    digits = Math.abs(scaled) < 1e21 ? scaled.toFixed(Math.min(places.length, 20)) : String(scaled);
    const optional = /#+$/.exec(places)?.[0].length ?? 0;
    for (let at = 0; at < optional && digits.includes('.') && digits.endsWith('0'); at += 1)
      digits = digits.slice(0, -1);
    if (digits.endsWith('.')) digits = digits.slice(0, -1);
    if (/[#0],[#0]/.test(core)) digits = digits.replace(/\B(?=(?:\d{3})+(?!\d))(?<!\.\d*)/g, ',');
  }
  const place = section.search(/[#0]/);
  const end = section.length - [...section].reverse().join('').search(/[#0]/);
  return `${literal(section.slice(0, place))}${digits}${literal(section.slice(end))}`.trim();
}

/** What stands in a format as itself: quoted text, escaped characters, currency and percent signs. */
function literal(part: string): string {
  return part
    .replace(/_./g, '')
    .replace(/\*./g, '')
    .replace(/"([^"]*)"/g, '$1')
    .replace(/\\(.)/g, '$1')
    .replace(/[#0?,.]/g, '');
}

const months = 'January February March April May June July August September October November December'.split(
  ' ',
);
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

function shownDate(serial: number, section: string, epoch1904: boolean): string {
  // Serial 60 is 29 February 1900, a day that Lotus 1-2-3 invented and everybody kept.
  const sinceEpoch = epoch1904 ? serial + 1462 : serial;
  const day = sinceEpoch < 60 ? sinceEpoch + 1 : sinceEpoch;
  const date = new Date(Math.round((day - 25_569) * 86_400_000));
  if (Number.isNaN(date.getTime()) || serial < 0) return general(serial);
  const twelve = /AM\/PM|A\/P/i.test(section);
  const hours = date.getUTCHours();
  const two = (value: number) => String(value).padStart(2, '0');
  let afterHours = false;
  const tokens =
    /"[^"]*"|\\.|_.|\*.|\[\$[^\]]*\]|\[(?:h+|m+|s+)\]|AM\/PM|A\/P|y+|m+|d+|h+|s+(?:\.0+)?|[\s\S]/gi;
  return section
    .replace(tokens, (token, at: number) => {
      const unit = token.toLowerCase();
      const length = token.length;
      if (/^y/.test(unit))
        return length <= 2 ? two(date.getUTCFullYear() % 100) : String(date.getUTCFullYear());
      if (/^m/.test(unit)) {
        const isMinutes = afterHours || /^[^a-z]*s/i.test(section.slice(at + length));
        afterHours = false;
        if (isMinutes) return length === 1 ? String(date.getUTCMinutes()) : two(date.getUTCMinutes());
        const month = date.getUTCMonth();
        const name = months[month] ?? '';
        if (length >= 4) return length === 5 ? name.slice(0, 1) : name;
        return length === 3 ? name.slice(0, 3) : length === 2 ? two(month + 1) : String(month + 1);
      }
      if (/^d/.test(unit)) {
        const name = days[date.getUTCDay()] ?? '';
        if (length >= 3) return length === 3 ? name.slice(0, 3) : name;
        return length === 2 ? two(date.getUTCDate()) : String(date.getUTCDate());
      }
      if (/^h/.test(unit)) {
        afterHours = true;
        const shown = twelve ? hours % 12 || 12 : hours;
        return length === 1 ? String(shown) : two(shown);
      }
      if (/^s/.test(unit)) return length === 1 ? String(date.getUTCSeconds()) : two(date.getUTCSeconds());
      if (/^\[h/.test(unit)) {
        afterHours = true;
        return String(Math.floor(serial * 24 + 1e-9));
      }
      if (/^\[m/.test(unit)) return String(Math.floor(serial * 1440 + 1e-9));
      if (/^\[s/.test(unit)) return String(Math.round(serial * 86_400));
      if (/^a/.test(unit)) return hours < 12 ? 'AM' : 'PM';
      return literal(token) || (/^[.,]$/.test(token) ? token : '');
    })
    .trim();
}
