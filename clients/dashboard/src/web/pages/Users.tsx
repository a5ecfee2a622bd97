import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Search, UserRoundX } from "lucide-react";
import { useEffect, useState } from "react";
import { api, type Outputs } from "../api";
import { Ago, Answer, Badge, Button, Card, Empty, PageHead, type Tone } from "../components/basics";
import { type Columns, Table } from "../components/Table";
import { UserLink } from "../components/UserLink";
import { nameText } from "../format";

const route = getRouteApi("/admin/users");

type User = Outputs["users"]["list"]["users"][number];

export const tierTone = (tier: string): Tone => (tier === "free" ? "neutral" : "accent");
export const statusTone = (status: string | null): Tone =>
	status === "active" || status === "trialing" ? "good" : status === "past_due" ? "warn" : "neutral";

const columns: Columns<User> = [
	{
		id: "user",
		header: "User",
		meta: { heading: true, grow: true },
		cell: ({ row }) => <UserLink userId={row.original.userId} />,
	},
	{
		id: "tier",
		header: "Tier",
		cell: ({ row }) => <Badge tone={tierTone(row.original.tier)}>{nameText(row.original.tier)}</Badge>,
	},
	{
		id: "status",
		header: "Subscription",
		meta: { wideOnly: true },
		cell: ({ row }) =>
			row.original.status ? (
				<Badge tone={statusTone(row.original.status)}>{nameText(row.original.status)}</Badge>
			) : (
				<span className="faint">none</span>
			),
	},
	{
		id: "last",
		header: "Last used",
		meta: { number: true },
		cell: ({ row }) =>
			row.original.lastUsed ? <Ago at={row.original.lastUsed} /> : <span className="faint">never</span>,
	},
];

export function UsersPage() {
	const { search } = route.useSearch();
	const navigate = useNavigate();
	const [text, setText] = useState(search);
	useEffect(() => {
		document.title = "Users · Usage limits";
	}, []);
	// asks when the typing pauses, not at every key
	useEffect(() => {
		if (text === search) return undefined;
		const timer = setTimeout(
			() => void navigate({ to: "/users", search: { search: text }, replace: true }),
			200,
		);
		return () => clearTimeout(timer);
	}, [text, search, navigate]);
	const users = useInfiniteQuery(
		api.users.list.infiniteQueryOptions(
			{ search, rows: 50 },
			{ getNextPageParam: (page) => page.next, initialCursor: null },
		),
	);
	const found = users.data?.pages.flatMap((page) => page.users) ?? [];
	return (
		<>
			<PageHead title="Users" note="Everybody with a subscription or any use, by id." />
			<Card flush>
				<div className="card-bar">
					<div className="search">
						<Search aria-hidden />
						<input
							type="search"
							aria-label="Find users whose id starts with"
							placeholder="User id starts with …"
							autoComplete="off"
							spellCheck={false}
							maxLength={255}
							value={text}
							onChange={(event) => setText(event.target.value)}
						/>
					</div>
					<span className="faint" role="status">
						{users.data && (users.hasNextPage ? `first ${found.length}` : `${found.length} found`)}
					</span>
				</div>
				<Answer of={users}>
					{() => (
						<Table
							caption="Users"
							columns={columns}
							rows={found}
							rowId={(user) => user.userId}
							empty={
								<Empty icon={UserRoundX} title={search ? "No user id starts like that" : "No users yet"}>
									{search ? (
										<>
											Upper and lower case count. Whoever has used nothing yet can still be{" "}
											<Link to="/users/$userId" params={{ userId: search }} search={{ view: "limits" }}>
												looked at
											</Link>
											.
										</>
									) : (
										"They show with their first use."
									)}
								</Empty>
							}
							foot={
								users.hasNextPage && (
									<Button busy={users.isFetchingNextPage} onClick={() => void users.fetchNextPage()}>
										More users
									</Button>
								)
							}
						/>
					)}
				</Answer>
			</Card>
		</>
	);
}
