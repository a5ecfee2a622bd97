import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleCheck, CircleX, Gauge, Hourglass, LockKeyholeOpen } from "lucide-react";
import { type FormEvent, useMemo, useState } from "react";
import { api, type Outputs } from "../../api";
import { Ago, Answer, Badge, Button, Card, Empty, Field, Time } from "../../components/basics";
import { LimitMeter } from "../../components/Meter";
import { type Columns, Table } from "../../components/Table";
import { say } from "../../components/toasts";
import { count, limitText, nameText, reasonText, sourceText, spanText } from "../../format";
import { useServer } from "../../session";
import type { UserData } from "../User";

export function LimitsView({ user, onReset }: { user: UserData; onReset: () => void }) {
	const { can } = useServer();
	return (
		<>
			<Card title="Limits" note="Usage now, with the value that holds for this user">
				{user.limits.length === 0 ? (
					<Empty icon={Gauge} title="There are no limits" />
				) : (
					<div className="meters">
						{user.limits.map((limit) => (
							<LimitMeter key={limit.limitType} limit={limit} onReset={onReset} showSource />
						))}
					</div>
				)}
			</Card>
			<Explain user={user} />
			{can.holds && <Holds userId={user.userId} />}
		</>
	);
}

type Explained = Outputs["users"]["explain"];

const explainColumns: Columns<Explained["limits"][number]> = [
	{
		id: "limit",
		header: "Limit",
		meta: { heading: true },
		cell: ({ row }) => <code>{row.original.limitType}</code>,
	},
	{
		id: "says",
		header: "Says",
		meta: { grow: true },
		cell: ({ row: { original: limit } }) => <Verdict {...limit} />,
	},
	{ id: "current", header: "Used", meta: { number: true }, cell: ({ row }) => count(row.original.current) },
	{ id: "value", header: "Limit", meta: { number: true }, cell: ({ row }) => limitText(row.original.value) },
	{
		id: "source",
		header: "From",
		meta: { wideOnly: true },
		cell: ({ row }) => sourceText(row.original.source),
	},
	{
		id: "window",
		header: "Window",
		meta: { wideOnly: true },
		cell: ({ row: { original: limit } }) =>
			limit.windowStart === null ? (
				<span className="faint">lifetime</span>
			) : (
				<span className="stacked-left">
					<Time at={limit.windowStart} />
					{limit.windowEnd && (
						<span className="faint">
							to <Time at={limit.windowEnd} />
						</span>
					)}
				</span>
			),
	},
];

function Verdict({ applies, allowed, reason }: { applies: boolean; allowed: boolean; reason: string }) {
	if (!applies) return <Badge>{reasonText(reason)}</Badge>;
	return <Badge tone={allowed ? "good" : "bad"}>{reasonText(reason)}</Badge>;
}

/** Asks as a request would, and shows what every limit of the type says. */
function Explain({ user }: { user: UserData }) {
	const types = useMemo(
		() => [...new Set(user.limits.map((limit) => limit.usageType))].sort(),
		[user.limits],
	);
	// the likeliest question: what is used up
	const likely = user.limits.find((limit) => !limit.allowed)?.usageType ?? types[0] ?? "";
	const [usageType, setUsageType] = useState(likely);
	const [amount, setAmount] = useState("1");
	const [asked, setAsked] = useState<{ usageType: string; amount: number }>();
	const explain = useQuery(
		api.users.explain.queryOptions(
			{ userId: user.userId, ...(asked ?? { usageType, amount: 1 }) },
			{ enabled: asked !== undefined, placeholderData: () => undefined },
		),
	);
	const wrong = /^\d{1,15}$/.test(amount) ? undefined : "A whole number, 0 or more.";
	const submit = (event: FormEvent) => {
		event.preventDefault();
		if (wrong || !usageType) return;
		if (asked && asked.usageType === usageType && asked.amount === Number(amount)) void explain.refetch();
		setAsked({ usageType, amount: Number(amount) });
	};
	if (types.length === 0) return null;
	return (
		<Card
			title="Why is this denied?"
			note="Would this request be admitted now, and what does each limit say? Nothing is consumed."
		>
			<form className="form-row" noValidate onSubmit={submit}>
				<Field label="Usage type">
					{(ids) => (
						<select {...ids} value={usageType} onChange={(event) => setUsageType(event.target.value)}>
							{types.map((type) => (
								<option key={type} value={type}>
									{nameText(type)}
								</option>
							))}
						</select>
					)}
				</Field>
				<Field label="Amount" error={wrong}>
					{(ids) => (
						<input
							{...ids}
							className="narrow"
							inputMode="numeric"
							value={amount}
							onChange={(event) => setAmount(event.target.value)}
						/>
					)}
				</Field>
				<Button type="submit" busy={explain.isFetching}>
					Explain
				</Button>
			</form>
			{asked && (
				<Answer of={explain}>
					{(answer) => (
						<div className="explained">
							<Decision answer={answer} />
							<Table
								caption="What each limit says"
								columns={explainColumns}
								rows={answer.limits}
								rowId={(limit) => limit.limitType}
							/>
						</div>
					)}
				</Answer>
			)}
		</Card>
	);
}

function Decision({ answer }: { answer: Explained }) {
	const limit = answer.limitType && (
		<>
			{" "}
			by <code>{answer.limitType}</code>
		</>
	);
	return (
		<p className={`decision decision-${answer.allowed ? "good" : "bad"}`} data-allowed={answer.allowed}>
			{answer.allowed ? <CircleCheck aria-hidden /> : <CircleX aria-hidden />}
			<span>
				{answer.allowed ? (
					<>
						<strong>Allowed.</strong> {reasonText(answer.reason)}
						{answer.limitType && (
							<>
								: <code>{answer.limitType}</code> has the least left
							</>
						)}
						.
					</>
				) : (
					<>
						<strong>Denied</strong>
						{limit}: {reasonText(answer.reason).toLowerCase()}.{" "}
						{answer.resetAt && answer.retryAfter !== null ? (
							<>
								It would be admitted in {spanText(answer.retryAfter * 1000)}, at <Time at={answer.resetAt} />.
							</>
						) : (
							"Waiting does not help."
						)}
					</>
				)}
			</span>
		</p>
	);
}

type Hold = Outputs["users"]["holds"][number];

function Holds({ userId }: { userId: string }) {
	const cache = useQueryClient();
	const { can } = useServer();
	const holds = useQuery(api.users.holds.queryOptions({ userId }, { refetchInterval: 10_000 }));
	const release = useMutation(
		api.users.releaseHold.mutationOptions({
			onSuccess: async ({ ended }) => {
				await cache.invalidateQueries();
				say(ended ? "The hold is released." : "The hold had ended already.");
			},
			onError: (error) => say(error.message, "warn"),
		}),
	);
	const columns: Columns<Hold> = [
		{
			id: "hold",
			header: "Hold",
			meta: { heading: true, grow: true },
			cell: ({ row }) => <code className="breakable">{row.original.holdId}</code>,
		},
		{ id: "type", header: "Usage type", cell: ({ row }) => nameText(row.original.usageType) },
		{ id: "amount", header: "Amount", meta: { number: true }, cell: ({ row }) => count(row.original.amount) },
		{
			id: "since",
			header: "Taken",
			meta: { number: true, wideOnly: true },
			cell: ({ row }) => <Ago at={row.original.createdAt} />,
		},
		{
			id: "until",
			header: "Expires",
			meta: { number: true },
			cell: ({ row }) => <Ago at={row.original.expiresAt} />,
		},
		{
			id: "release",
			header: () => <span className="sr-only">Release</span>,
			meta: { number: true },
			cell: ({ row }) =>
				can.endHolds && (
					<Button
						small
						look="quiet"
						icon={LockKeyholeOpen}
						aria-label={`Release ${row.original.holdId}`}
						title="Release"
						onClick={() => release.mutate({ userId, holdId: row.original.holdId })}
					/>
				),
		},
	];
	return (
		<Card title="Holds" note="Reserved and not settled yet; they count as used" flush>
			<Answer of={holds}>
				{(rows) => (
					<Table
						caption="Open holds"
						columns={columns}
						rows={rows}
						rowId={(hold) => hold.holdId}
						empty={<Empty icon={Hourglass} title="No open holds" />}
					/>
				)}
			</Answer>
		</Card>
	);
}
