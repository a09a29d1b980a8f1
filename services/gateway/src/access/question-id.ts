import { hash } from 'node:crypto';
import { defaultTenant, idDigits, newId } from '@vortex/contracts';

/**
 * Ids of questions that say whose they are: of their 22 digits the last six (35 bits) are a keyed digest of the tenant and
 * the 16 random ones before. A question that its client waits for stands in no hash, and is not worth one: the queue's
 * Redis would pay for it on every question. So who may cancel it is read from its id.
 */
export interface QuestionIds {
  make(tenant: string, prefix?: 'qry' | 'aud'): string;
  /** An id of another form was made by hand, and what is made by hand is the default tenant's. */
  isOf(tenant: string, id: string): boolean;
}

const made = /^((?:qry|aud)_[0-9A-Za-z]{16})([0-9A-Za-z]{6})$/;

export function createQuestionIds(pepper: Buffer): QuestionIds {
  const secret = pepper.toString('base64');

  function mark(tenant: string, body: string): string {
    // One call: an HMAC of Node's takes 13 µs longer, and what HMAC is for, whole digests that are shown, is not here.
    const digest = hash('sha256', `${secret} ${body} ${tenant}`, 'hex');
    let number = Number.parseInt(digest.slice(0, 12), 16);
    let text = '';
    for (let digit = 0; digit < 6; digit += 1) {
      text += idDigits.charAt(number % 62);
      number = Math.floor(number / 62);
    }
    return text;
  }

  return {
    make(tenant, prefix = 'qry') {
      const body = newId(prefix).slice(0, prefix.length + 1 + 16);
      return body + mark(tenant, body);
    },
    isOf(tenant, id) {
      const [, body, marked] = made.exec(id) ?? [];
      if (body === undefined) return tenant === defaultTenant;
      return mark(tenant, body) === marked;
    },
  };
}
