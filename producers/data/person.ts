import type { Principal } from '../../platform/auth/principal.ts'

/** Who acted, as it is kept with the act. */
export const personOf = ({ subject, org }: Principal): string => `${subject}@${org}`
