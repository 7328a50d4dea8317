import { row, rows, type Tx } from '../../../platform/db.ts'

/** As the members of an organisation are stored: the issuer's subject, or `email:` and the hash of an address. */
type Member = { issuer: string; subject: string }

/**
 * Whether somebody (`subject@org`, as decisions name people) may be a reviewer of the organisation; also true where it
 * names no reviewers, because tokens say themselves who one is. `issuers` are those whose people are members by name.
 */
export async function mayReview(tx: Tx, actor: string, org: string, issuers: readonly string[]): Promise<boolean> {
  if (issuers.length === 0) return true
  const reviewers = await rows<Member>(
    tx,
    `select issuer, subject from platform.members where org = ? and issuer = any(?::text[]) and 'reviewer' = any(roles)`,
    [org, issuers],
  )
  if (reviewers.length === 0) return true
  if (reviewers.some((member) => `${subjectOf(member, issuers[0])}@${org}` === actor)) return true
  // Of who is a member by address the subject is not known before they act: then they are known by what they did.
  return reviewers.some(({ subject }) => subject.startsWith('email:')) && (await hasReviewed(tx, actor))
}

/** As a caller's subject: people of the first issuer by their own, those of others behind its name. */
const subjectOf = ({ issuer, subject }: Member, first: string | undefined): string =>
  issuer === first ? subject : `${issuer.replace(/^https?:\/\//, '')}|${subject}`

const hasReviewed = async (tx: Tx, actor: string): Promise<boolean> =>
  (await row(
    tx,
    `select 1 where exists (select 1 from marketplace.decisions where approver = ? and approver_kind = 'person')
       or exists (select 1 from marketplace.messages where author = ? and author_kind = 'reviewer')
       or exists (select 1 from marketplace.versions where claimed_by = ?)`,
    [actor, actor, actor],
  )) !== undefined
