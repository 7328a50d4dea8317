import type { OriginRule } from './rule.ts'

/** WPK-P2-009: the name passes for an older one of another organisation. */
export const nameSimilarity: OriginRule = {
  id: 'WPK-P2-009',
  version: 2,
  name: 'name similarity',
  severity: 'high',
  about:
    'Whether an older name of another organisation looks like that of the package (`origin.alike` of `wpk.submitted` and `rescan.requested`; docs/registry.md says what alike means). The marketplace refuses a new name that does (`name_too_similar`: `producers/marketplace/catalog/claim-name.ts`); what arrives here was allowed by the operator all the same, or is older than the check. Names of one organisation may be alike, and the older of two names is silent. `/analyze` sees bare content and names the check as not run.',
  remediation: 'Rename the package, or let a reviewer accept the finding: then it does not hold later versions.',
  hygiene: false,
  check: ({ alike }) =>
    alike === undefined
      ? []
      : [
          {
            pointer: '/metadata/name',
            severity: 'high',
            // Names may be alike by honest chance, and the operator may have allowed this one.
            confidence: 'low',
            message: `the name looks like ${alike.name ?? 'a name of another organisation'}, which is older`,
            matched: `alike ${alike.name ?? ''}`,
          },
        ],
}
