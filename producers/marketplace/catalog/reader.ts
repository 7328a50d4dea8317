import { type Principal, scopeOf } from '../../../platform/auth/principal.ts'
import type { Scope } from '../../../platform/db.ts'

/** A caller without a credential is the public here, even where the demo lets it look at an organisation's figures. */
const PUBLIC: Scope = { org: '(public)', operator: false }
/** Whose rows a caller reads: the public sees what is published, an organisation its own too, operators everything. */
export const readerScope = (principal: Principal): Scope => (principal.kind === 'visitor' ? PUBLIC : scopeOf(principal))
