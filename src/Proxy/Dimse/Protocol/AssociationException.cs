namespace Proxy.Dimse.Protocol;

/// <summary>How an association ended.</summary>
internal enum AssociationEnd
{
    /// <summary>The peer rejected it (A-ASSOCIATE-RJ).</summary>
    Rejected,

    /// <summary>The peer aborted it (A-ABORT).</summary>
    Aborted,

    /// <summary>The peer released it or closed the connection.</summary>
    Closed,

    /// <summary>The peer accepted no presentation context for the operation.</summary>
    NoContext,
}

/// <summary>The peer ended an association, or an operation is not possible on it.</summary>
/// <param name="end">How it ended.</param>
/// <param name="message">A part of a sentence about the peer, such as <c>it rejected the association: it is congested</c>.</param>
/// <param name="inner">The cause; null for none.</param>
internal sealed class AssociationException(AssociationEnd end, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How the association ended.</summary>
    public AssociationEnd End => end;

    /// <summary>Why it was rejected; null when it was not.</summary>
    public Rejection? Rejection { get; init; }

    /// <summary>The exception for a rejection.</summary>
    public static AssociationException From(Rejection rejection) =>
        new(AssociationEnd.Rejected, "it rejected the association: " + rejection.Describe()) { Rejection = rejection };
}

/// <summary>The time limits of an association.</summary>
/// <param name="Association">For the connection, for the answer to A-ASSOCIATE-RQ, and for a release: ARTIM of PS3.8 §9.1.5.</param>
/// <param name="FirstAnswer">From a request to the first byte of its first answer.</param>
/// <param name="BetweenAnswers">From one answer to the next, and between two pieces of a dataset.</param>
internal sealed record AssociationLimits(TimeSpan Association, TimeSpan FirstAnswer, TimeSpan BetweenAnswers);

/// <summary>A received command, whose dataset is read next.</summary>
/// <param name="Context">The ID of its presentation context.</param>
/// <param name="Command">The command set.</param>
internal sealed record DimseMessage(byte Context, CommandSet Command);
