/** Windows character sets of a font (`\fcharset`) and code pages, as labels of the Encoding Standard. */
export const labelOfCharset: Record<number, string> = {
  77: 'macintosh',
  128: 'shift_jis',
  129: 'euc-kr',
  134: 'gbk',
  136: 'big5',
  161: 'windows-1253',
  162: 'windows-1254',
  163: 'windows-1258',
  177: 'windows-1255',
  178: 'windows-1256',
  186: 'windows-1257',
  204: 'windows-1251',
  222: 'windows-874',
  238: 'windows-1250',
};
export const labelOfPage: Record<number, string> = {
  932: 'shift_jis',
  936: 'gbk',
  949: 'euc-kr',
  950: 'big5',
  874: 'windows-874',
  10000: 'macintosh',
  65001: 'utf-8',
};

export const skippedDestinations = new Set(
  'colortbl fonttbl stylesheet listtable listoverridetable revtbl rsidtbl generator pict object objdata header headerl headerr headerf footer footerl footerr footerf info xmlnstbl themedata colorschememapping latentstyles datastore fldinst bkmkstart bkmkend nonshppict filetbl pgptbl ftnsep ftnsepc aftnsep aftnsepc xe tc'.split(
    ' ',
  ),
);
export const characterOf: Record<string, string> = {
  tab: '\t',
  line: '\n',
  emdash: '—',
  endash: '–',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  bullet: '•',
  emspace: ' ',
  enspace: ' ',
};
