/** A user's id, which leads to that user's limits. */
import { Link } from "@tanstack/react-router";

export function UserLink({ userId }: { userId: string }) {
	return (
		<Link to="/users/$userId" params={{ userId }} search={{ view: "limits" }} className="ellipsis">
			{userId}
		</Link>
	);
}
