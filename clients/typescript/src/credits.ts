import { UsageClient } from "./client.js";
import type { Interval } from "./types.js";

export interface CreditDecision {
	allowed: boolean;
	reason: string;
	/** After the call. */
	balance: number;
	transactionId: number | null;
	grantId: number | null;
}

export interface CreditGrantParams {
	userId: string;
	amount: number | bigint;
	/** `purchase` (the default), `bonus`, … */
	transactionType?: string | undefined;
	/** The payment: a repeat of the same one grants once. */
	referenceId?: string | undefined;
	description?: string | undefined;
	/** Low ones are spent first. */
	priority?: number | undefined;
	effectiveAt?: Date | string | undefined;
	expiresAt?: Date | string | undefined;
	recursEvery?: Interval | undefined;
	maxRollover?: number | bigint | undefined;
	metadata?: Record<string, unknown> | undefined;
}

export interface CreditSpendParams {
	userId: string;
	amount: number | bigint;
	description?: string | undefined;
	referenceId?: string | undefined;
	metadata?: Record<string, unknown> | undefined;
	/** By default true: a balance that is too low is a UsageLimitError with status 402. */
	throwOnInsufficient?: boolean | undefined;
}

/** Rows as the extension returns them, with camelCase keys and Dates. */
export type CreditRow = Record<string, unknown>;

/** Credits that users buy, are given and spend. */
export class UsageCredits extends UsageClient {
	grant(params: CreditGrantParams): Promise<CreditDecision> {
		return this.row("credit_grant", {
			user_id: params.userId,
			amount: params.amount,
			transaction_type: params.transactionType,
			reference_id: params.referenceId,
			description: params.description,
			priority: params.priority,
			effective_at: params.effectiveAt,
			expires_at: params.expiresAt,
			recurs_every: params.recursEvery,
			max_rollover: params.maxRollover,
			metadata: params.metadata,
		});
	}

	spend(params: CreditSpendParams): Promise<CreditDecision> {
		return this.row("credit_spend", {
			user_id: params.userId,
			amount: params.amount,
			description: params.description,
			reference_id: params.referenceId,
			metadata: params.metadata,
			throw_on_insufficient: params.throwOnInsufficient,
		});
	}

	/** Returns what was spent to the grants it came from; without an amount, all that is left. */
	refund(transactionId: number, params: { amount?: number; userId?: string } = {}): Promise<CreditDecision> {
		return this.row("credit_refund", {
			transaction_id: transactionId,
			amount: params.amount,
			user_id: params.userId,
		});
	}

	/** Takes a grant back, as after a chargeback; what was spent of it stays spent. */
	void(grantId: number, params: { userId?: string } = {}): Promise<CreditDecision> {
		return this.row("credit_void", { grant_id: grantId, user_id: params.userId });
	}

	/** Reserves credits under a name of your own; UsageTracker's `settle` and `release` end it by that name. */
	hold(params: {
		userId: string;
		amount: number | bigint;
		holdId: string;
		ttl?: Interval | undefined;
	}): Promise<CreditDecision> {
		return this.row("credit_hold", {
			user_id: params.userId,
			amount: params.amount,
			ttl: params.ttl,
			hold_id: params.holdId,
		});
	}

	/** The balance now, or at an instant in the past. */
	balance(userId: string, at?: Date | string): Promise<number> {
		return this.value("credit_balance", { user_id: userId, at });
	}

	/** What can be spent or held now: the balance without what is held. */
	available(userId: string): Promise<number> {
		return this.value("credit_available", { user_id: userId });
	}

	grants(userId: string): Promise<CreditRow[]> {
		return this.rows("credit_grants", { user_id: userId });
	}

	/** The ledger between two instants: opening, lines, closing. */
	statement(userId: string, startsAt?: Date | string, endsAt?: Date | string): Promise<CreditRow[]> {
		return this.rows("credit_statement", { user_id: userId, starts_at: startsAt, ends_at: endsAt });
	}

	/** Writes what has fallen due: refills, activations, expiries. */
	refill(userId: string): Promise<CreditDecision> {
		return this.row("credit_refill", { user_id: userId });
	}
}
