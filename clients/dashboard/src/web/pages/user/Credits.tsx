import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Coins, Plus, ReceiptText } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api, type Outputs } from "../../api";
import { Answer, Button, Card, Empty, Field, Segmented, Time } from "../../components/basics";
import { Dialog, DialogForm } from "../../components/Dialog";
import { TextField, UntilField } from "../../components/fields";
import { type Columns, Table } from "../../components/Table";
import { say } from "../../components/toasts";
import { count, nameText } from "../../format";
import { useServer } from "../../session";

type Credits = NonNullable<Outputs["users"]["credits"]>;
type Line = Outputs["users"]["statement"]["lines"][number];

const ranges = [
	{ value: 30, label: "30 days" },
	{ value: 90, label: "90 days" },
	{ value: 365, label: "12 months" },
] as const;

export function CreditsView({ userId }: { userId: string }) {
	const { can } = useServer();
	const credits = useQuery(api.users.credits.queryOptions({ userId }, { refetchInterval: 10_000 }));
	const [granting, setGranting] = useState(false);
	return (
		<>
			<Card
				title="Credits"
				note="Grants that still hold, in the order in which they are spent"
				flush
				actions={
					can.grantCredits && (
						<Button icon={Plus} onClick={() => setGranting(true)}>
							Grant credits
						</Button>
					)
				}
			>
				<Answer of={credits}>
					{(data) =>
						data === null ? (
							<Empty icon={Coins} title="Credits are not to be seen" />
						) : (
							<>
								<p className="balance">
									<strong>{count(data.balance)}</strong> <span className="soft">credits</span>
								</p>
								<Grants grants={data.grants} />
							</>
						)
					}
				</Answer>
			</Card>
			<Statement userId={userId} />
			{granting && <GrantDialog userId={userId} onClose={() => setGranting(false)} />}
		</>
	);
}

const grantColumns: Columns<Credits["grants"][number]> = [
	{ id: "id", header: "Grant", meta: { heading: true }, cell: ({ row }) => `#${row.original.id}` },
	{ id: "left", header: "Left", meta: { number: true }, cell: ({ row }) => count(row.original.remaining) },
	{ id: "amount", header: "Of", meta: { number: true }, cell: ({ row }) => count(row.original.amount) },
	{
		id: "priority",
		header: "Priority",
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => row.original.priority,
	},
	{
		id: "description",
		header: "Description",
		meta: { grow: true, wideOnly: true },
		cell: ({ row }) => row.original.description ?? "",
	},
	{
		id: "recurs",
		header: "Recurs",
		meta: { wideOnly: true },
		cell: ({ row }) =>
			row.original.recursEvery ? `every ${row.original.recursEvery}` : <span className="faint">once</span>,
	},
	{
		id: "expires",
		header: "Expires",
		cell: ({ row }) =>
			row.original.expiresAt ? <Time at={row.original.expiresAt} /> : <span className="faint">never</span>,
	},
];

export function Grants({ grants }: { grants: Credits["grants"] }) {
	return (
		<Table
			caption="Grants"
			columns={grantColumns}
			rows={grants}
			rowId={(grant) => grant.id}
			empty={<Empty icon={Coins} title="No grants" />}
		/>
	);
}

const lineColumns: Columns<Line> = [
	{
		id: "when",
		header: "When",
		meta: { heading: true },
		cell: ({ row }) => (row.original.at ? <Time at={row.original.at} /> : ""),
	},
	{ id: "what", header: "What", cell: ({ row }) => nameText(row.original.type) },
	{
		id: "text",
		header: "Description",
		meta: { grow: true, wideOnly: true },
		cell: ({ row }) => row.original.description ?? "",
	},
	{
		id: "amount",
		header: "Amount",
		meta: { number: true },
		cell: ({ row: { original: line } }) =>
			line.amount === null ? "" : `${line.amount > 0 ? "+" : ""}${count(line.amount)}`,
	},
	{
		id: "balance",
		header: "Balance",
		meta: { number: true },
		cell: ({ row }) => count(row.original.balance),
	},
];

function Statement({ userId }: { userId: string }) {
	const [days, setDays] = useState<30 | 90 | 365>(30);
	const statement = useInfiniteQuery(
		api.users.statement.infiniteQueryOptions(
			{ userId, days, rows: 50 },
			{ getNextPageParam: (page) => page.next, initialCursor: null, refetchInterval: 30_000 },
		),
	);
	return (
		<Card
			title="Statement"
			note="The newest first"
			flush
			actions={<Segmented label="Range" value={days} options={ranges} onChange={setDays} />}
		>
			<Answer of={statement}>
				{({ pages }) => (
					<Table
						caption="Statement"
						columns={lineColumns}
						rows={pages.flatMap((page) => page.lines)}
						rowId={(line) => line.id}
						empty={<Empty icon={ReceiptText} title="No lines in this range" />}
						foot={
							statement.hasNextPage && (
								<Button busy={statement.isFetchingNextPage} onClick={() => void statement.fetchNextPage()}>
									Older lines
								</Button>
							)
						}
					/>
				)}
			</Answer>
		</Card>
	);
}

function GrantDialog({ userId, onClose }: { userId: string; onClose: () => void }) {
	const cache = useQueryClient();
	const [amount, setAmount] = useState("");
	const [until, setUntil] = useState("");
	const [description, setDescription] = useState("");
	const [asked, setAsked] = useState(false);
	const wrong = /^[1-9]\d{0,14}$/.test(amount) ? undefined : "A whole number, 1 or more.";
	const grant = useMutation(
		api.users.grantCredits.mutationOptions({
			onSuccess: async () => {
				await cache.invalidateQueries();
				say(`${count(Number(amount))} credits are granted.`);
				onClose();
			},
		}),
	);
	const submit = (event: FormEvent) => {
		event.preventDefault();
		setAsked(true);
		if (!wrong)
			grant.mutate({
				userId,
				amount: Number(amount),
				description: description.trim(),
				expiresAt: until ? new Date(until).toISOString() : null,
			});
	};
	return (
		<Dialog title="Grant credits" note={<span className="breakable">to {userId}</span>} onClose={onClose}>
			<DialogForm action="Grant" answer={grant} onSubmit={submit} onClose={onClose}>
				<Field label="Amount" error={asked ? wrong : undefined}>
					{(ids) => (
						<input
							{...ids}
							inputMode="numeric"
							autoComplete="off"
							value={amount}
							onChange={(event) => setAmount(event.target.value)}
						/>
					)}
				</Field>
				<UntilField open="they do not expire" value={until} onChange={setUntil} />
				<TextField label="Description" value={description} onChange={setDescription} />
			</DialogForm>
		</Dialog>
	);
}
