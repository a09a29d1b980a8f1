import { describe } from 'vitest';
import { acceptanceConformance } from './conformance/acceptance-conformance.ts';
import { adminActsConformance } from './conformance/admin-acts-conformance.ts';
import { collectionsConformance } from './conformance/collections-conformance.ts';
import { documentsConformance } from './conformance/documents-conformance.ts';
import { type EmptyRegistry, registryForEach } from './conformance/fixture-conformance.ts';
import { jobsConformance } from './conformance/jobs-conformance.ts';
import { keysConformance } from './conformance/keys-conformance.ts';
import { uploadTurnsConformance } from './conformance/upload-turns-conformance.ts';
import { versionsConformance } from './conformance/versions-conformance.ts';
import { webhooksConformance } from './conformance/webhooks-conformance.ts';

export type { EmptyRegistry } from './conformance/fixture-conformance.ts';

/** The contract of the port `Registry`. Every adapter runs all of it; only tests import these files. */
export function registryConformance(name: string, make: () => Promise<EmptyRegistry>): void {
  describe(`registry conformance: ${name}`, () => {
    const underTest = registryForEach(make);
    collectionsConformance(underTest);
    acceptanceConformance(underTest);
    versionsConformance(underTest);
    documentsConformance(underTest);
    jobsConformance(underTest);
    uploadTurnsConformance(underTest);
    webhooksConformance(underTest);
    keysConformance(underTest);
    adminActsConformance(underTest);
  });
}
