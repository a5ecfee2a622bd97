/** What can be shown of one user, for administrators and for the user. */
import { type Features, only, type Query } from "../database";

export interface LimitStatus extends Record<string, unknown> {
	limitType: string;
	usageType: string;
	kind: string;
	period: string | null;
	tier: string;
	allowed: boolean;
	current: number;
	limit: number;
	remaining: number | null;
	percentUsed: number | null;
	resetAt: string | null;
	source: string;
	description: string | null;
	unit: string | null;
}

/** Every limit of the user, with what people call it where our role may know. */
export async function limitStatus(query: Query, features: Features, userId: string): Promise<LimitStatus[]> {
	const named = features.readable.has("usage_limits_config") && features.readable.has("usage_types");
	return query<LimitStatus>(
		`SELECT s.limit_type AS "limitType", s.usage_type AS "usageType", s.kind, s.period, s.tier, s.allowed, s.current,
       s."limit", s.remaining, s.percent_used AS "percentUsed", s.reset_at AS "resetAt", s.source,
       ${named ? "c.description, t.unit" : "NULL AS description, NULL AS unit"}
     FROM @.usage_status($1) s
       ${named ? "LEFT JOIN @.usage_limits_config c ON c.limit_type = s.limit_type LEFT JOIN @.usage_types t ON t.usage_type = s.usage_type" : ""}
     ORDER BY s.limit_type`,
		[userId],
	);
}

export interface Event extends Record<string, unknown> {
	id: string;
	eventType: string;
	eventSubtype: string | null;
	amount: number;
	operation: string;
	status: string;
	errorMessage: string | null;
	tokensUsed: number | null;
	creditsUsed: number | null;
	durationMs: number | null;
	createdAt: string;
}

const eventColumns = `
  e.id::text, e.event_type AS "eventType", e.event_subtype AS "eventSubtype", e.amount, e.operation, e.status,
  e.error_message AS "errorMessage", e.tokens_used AS "tokensUsed", e.credits_used AS "creditsUsed",
  e.duration_ms AS "durationMs", e.created_at AS "createdAt"`;

export interface EventPage {
	events: Event[];
	/** Where the next page starts; null when there is none */
	next: { createdAt: string; id: string } | null;
	/** False: only the newest are to be had */
	complete: boolean;
}

/** A page of a user's events by the index on (user_id, created_at), newest first. */
export async function eventPage(
	query: Query,
	features: Features,
	userId: string,
	cursor: { createdAt: string; id: string } | null,
	rows: number,
): Promise<EventPage> {
	if (!features.readable.has("usage_events")) {
		const [stats] = await query<{ events: (Event & { id: number })[] }>(
			`SELECT @.usage_stats($1, 3650) -> 'recentEvents' AS events`,
			[userId],
		);
		return {
			events: (stats?.events ?? []).map((event) => ({ ...event, id: String(event.id) })),
			next: null,
			complete: false,
		};
	}
	const found = await query<Event>(
		`SELECT ${eventColumns} FROM @.usage_events e
     WHERE e.user_id = $1 AND ($2::timestamptz IS NULL
       OR e.created_at <= $2::timestamptz AND (e.created_at, e.id) < ($2::timestamptz, $3::bigint))
     ORDER BY e.created_at DESC, e.id DESC LIMIT $4`,
		[userId, cursor?.createdAt ?? null, cursor?.id ?? null, rows + 1],
	);
	const events = found.slice(0, rows);
	const last = events.at(-1);
	return {
		events,
		next: found.length > rows && last ? { createdAt: last.createdAt, id: last.id } : null,
		complete: true,
	};
}

export interface UserStats {
	daily: Record<string, Record<string, number>>;
	totals: Record<string, number>;
}

export async function userStats(query: Query, userId: string, days: number): Promise<UserStats> {
	const rows = await query<{ daily: UserStats["daily"]; totals: UserStats["totals"] }>(
		`SELECT s -> 'daily' AS daily, s -> 'totals' AS totals FROM @.usage_stats($1, $2) AS s`,
		[userId, days],
	);
	return only(rows);
}

export interface CreditGrant extends Record<string, unknown> {
	id: string;
	state: string;
	amount: number;
	remaining: number;
	priority: number;
	expiresAt: string | null;
	recursEvery: string | null;
	description: string | null;
}

export interface Credits {
	balance: number;
	grants: CreditGrant[];
}

/** Null where our role may not see them. */
export async function credits(query: Query, features: Features, userId: string): Promise<Credits | null> {
	if (!features.functions.has("credit_balance")) return null;
	const { balance } = only(
		await query<{ balance: number }>("SELECT @.credit_balance($1) AS balance", [userId]),
	);
	const grants = await query<CreditGrant>(
		`SELECT g.grant_id::text AS id, g.state, g.amount, g.remaining, g.priority, g.expires_at AS "expiresAt",
		   g.recurs_every AS "recursEvery", g.description
		 FROM @.credit_grants($1) g WHERE g.state IN ('live', 'pending') LIMIT 200`,
		[userId],
	);
	return { balance, grants };
}

export interface StatementLine extends Record<string, unknown> {
	id: string;
	at: string | null;
	type: string;
	amount: number | null;
	balance: number;
	description: string | null;
}

export interface StatementPage {
	lines: StatementLine[];
	/** How many lines come before the next page; null when there is none */
	next: number | null;
}

/** A page of the account of the last days, from the closing balance back to the opening one. */
export async function creditStatement(
	query: Query,
	userId: string,
	days: number,
	{ skip, rows }: { skip: number; rows: number },
): Promise<StatementPage> {
	const found = await query<StatementLine>(
		`SELECT coalesce(s.transaction_id::text, s.line || s.ordinality) AS id, s.created_at AS at,
		   coalesce(s.transaction_type, s.line) AS type, s.amount, s.balance, s.description
		 FROM @.credit_statement($1, @.usage_now() - make_interval(days => $2)) WITH ORDINALITY s
		 ORDER BY s.ordinality DESC LIMIT $3 OFFSET $4`,
		[userId, days, rows + 1, skip],
	);
	return { lines: found.slice(0, rows), next: found.length > rows ? skip + rows : null };
}
