// Written for a POSIX shell and the addresses an untouched `npm start` listens on; MARKET_API and ATOM_BILLING_API
// are the names the SDKs know, so a changed port needs no edit. The id and the time are made when the line runs:
// a pasted time would be refused as too old, and an id used twice is counted once.
const auth = '-H "Authorization: Bearer $ATOM_TOKEN"'

/** Reports one unit of usage. */
export const reportUsageLine = [
  `curl -sS "\${ATOM_BILLING_API:-http://127.0.0.1:8060}/usage/report" ${auth}`,
  `-H 'Content-Type: application/json'`,
  `-d '{"id":"try-'$(date +%s)'","meter":"workflow_runs","quantity":"1","time":"'$(date -u +%Y-%m-%dT%H:%M:%SZ)'"}'`,
].join(' ')

/** Asks for the running invoice of the demo tenant, which says what has been billed so far and why. */
export const readInvoiceLine = `curl -sS "\${ATOM_BILLING_API:-http://127.0.0.1:8060}/billing/invoice/demo" ${auth}`

/** Uploads a package with the Sigstore bundle beside it. */
export const uploadPackageLine = [
  `curl -sS "\${MARKET_API:-http://127.0.0.1:8050}/wpk/upload" ${auth}`,
  '-F wpk=@package.yaml -F bundle=@package.yaml.sigstore.json',
].join(' ')
