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
	amount: number;
	remaining: number;
	priority: number;
	expiresAt: string | null;
	recursEvery: string | null;
}

export interface Credits {
	balance: number;
	grants: CreditGrant[];
}

/** Null where this version has no credits, or our role may not see them. */
export async function credits(query: Query, features: Features, userId: string): Promise<Credits | null> {
	if (!features.functions.has("credit_balance")) return null;
	const [row] = await query<{ balance: number }>("SELECT @.credit_balance($1) AS balance", [userId]);
	const rows = features.functions.has("credit_grants")
		? await query<{ grant: Record<string, unknown> }>(
				"SELECT to_jsonb(g) AS grant FROM @.credit_grants($1) g",
				[userId],
			)
		: [];
	return {
		balance: row?.balance ?? 0,
		grants: rows.map(({ grant }) => ({
			id: String(grant.grant_id ?? grant.id ?? ""),
			amount: Number(grant.amount ?? 0),
			remaining: Number(grant.remaining ?? 0),
			priority: Number(grant.priority ?? 0),
			expiresAt: (grant.expires_at as string | null | undefined) ?? null,
			recursEvery: (grant.recurs_every as string | null | undefined) ?? null,
		})),
	};
}

export interface StatementLine {
	at: string;
	type: string;
	amount: number | null;
	balance: number;
	description: string | null;
}

/** The ledger between two instants; the names of the columns differ between versions. */
export async function creditStatement(
	query: Query,
	userId: string,
	from: string,
	to: string,
): Promise<StatementLine[]> {
	const rows = await query<{ line: Record<string, unknown> }>(
		"SELECT to_jsonb(s) AS line FROM @.credit_statement($1, $2, $3) s LIMIT 1000",
		[userId, from, to],
	);
	return rows.map(({ line }) => ({
		at: String(line.created_at ?? line.at ?? ""),
		type: String(line.transaction_type ?? line.kind ?? line.line ?? ""),
		amount: line.amount === null || line.amount === undefined ? null : Number(line.amount),
		balance: Number(line.balance_after ?? line.balance ?? 0),
		description: (line.description as string | null | undefined) ?? null,
	}));
}
