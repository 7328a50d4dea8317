import type { invoiceBody } from '../invoice.ts'

type Quarantined = ReturnType<typeof invoiceBody>['quarantined'][number]

/** What a document says of usage that is not billed. */
export const quarantinedText = ({ package: name, version, meter, cause, state, period }: Quarantined): string =>
  `${name}${version === null ? '' : `@${version}`}: ${meter} of ${period}, not billed: ${
    version === null ? `its last version was ${cause}` : cause
  }${state === 'written_off' ? ', written off' : ''}`
