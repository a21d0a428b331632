using System.Collections.Immutable;

namespace Proxy.Dimse.Protocol;

/// <summary>The types of protocol data units (PS3.8 §9.3.1).</summary>
internal enum PduType : byte
{
    /// <summary>A-ASSOCIATE-RQ.</summary>
    AssociateRequest = 1,

    /// <summary>A-ASSOCIATE-AC.</summary>
    AssociateAccept = 2,

    /// <summary>A-ASSOCIATE-RJ.</summary>
    AssociateReject = 3,

    /// <summary>P-DATA-TF.</summary>
    Data = 4,

    /// <summary>A-RELEASE-RQ.</summary>
    ReleaseRequest = 5,

    /// <summary>A-RELEASE-RP.</summary>
    ReleaseResponse = 6,

    /// <summary>A-ABORT.</summary>
    Abort = 7,
}

/// <summary>The content of A-ASSOCIATE-RQ and A-ASSOCIATE-AC, which have the same structure (PS3.8 §9.3.2, §9.3.3).</summary>
/// <param name="CalledAeTitle">1 to 16 characters, case-sensitive, without the padding.</param>
/// <param name="CallingAeTitle">1 to 16 characters, case-sensitive, without the padding.</param>
/// <param name="Contexts">The proposed or answered presentation contexts, at most <see cref="MaxContexts"/>.</param>
internal sealed record AssociatePdu(string CalledAeTitle, string CallingAeTitle, ImmutableArray<PresentationContext> Contexts)
{
    /// <summary>Context IDs are the odd numbers from 1 to 255 (PS3.8 §9.3.2.2).</summary>
    public const int MaxContexts = 128;

    /// <summary>The longest AE title, in characters (PS3.8 §9.3.2).</summary>
    public const int MaxAeTitleLength = 16;

    /// <summary>The largest P-DATA-TF PDU that the sender receives, without its head of 6 bytes; 0 for no limit (PS3.8 §D.1).</summary>
    public uint MaxPduBytes { get; init; }

    /// <summary>The implementation of the sender (PS3.7 §D.3.3.2).</summary>
    public string ImplementationClassUid { get; init; } = "";

    /// <summary>The version of the implementation, at most 16 characters; empty when it is not sent.</summary>
    public string ImplementationVersion { get; init; } = "";

    /// <summary>The proposed or accepted roles (PS3.7 §D.3.3.4); a SOP class without an entry has the default roles.</summary>
    public ImmutableArray<RoleSelection> Roles { get; init; } = [];
}

/// <summary>The answer to a proposed presentation context (PS3.8 Table 9-18).</summary>
internal enum ContextResult : byte
{
    /// <summary>The context may be used.</summary>
    Acceptance = 0,

    /// <summary>The user of the service rejects it.</summary>
    UserRejection = 1,

    /// <summary>No reason.</summary>
    NoReason = 2,

    /// <summary>The peer does not support the SOP class.</summary>
    AbstractSyntaxNotSupported = 3,

    /// <summary>The peer supports none of the transfer syntaxes.</summary>
    TransferSyntaxesNotSupported = 4,
}

/// <summary>A presentation context: a SOP class and the transfer syntaxes of its datasets (PS3.8 §9.3.2.2, §9.3.3.2).</summary>
/// <param name="Id">An odd number from 1 to 255.</param>
/// <param name="AbstractSyntax">The SOP class UID; empty in an answer.</param>
/// <param name="TransferSyntaxes">The proposed syntaxes, or the accepted one.</param>
internal sealed record PresentationContext(byte Id, string AbstractSyntax, ImmutableArray<string> TransferSyntaxes)
{
    /// <summary>The answer; not sent in a request.</summary>
    public ContextResult Result { get; init; }
}

/// <summary>The roles of the requester for one SOP class (PS3.7 §D.3.3.4).</summary>
/// <param name="SopClass">The SOP class UID.</param>
/// <param name="Roles">The roles.</param>
internal readonly record struct RoleSelection(string SopClass, DimseRoles Roles);

/// <summary>Roles of the requester of an association.</summary>
[Flags]
internal enum DimseRoles
{
    /// <summary>No role.</summary>
    None = 0,

    /// <summary>It may send requests.</summary>
    Scu = 1,

    /// <summary>It may receive requests: C-GET needs this for storage classes.</summary>
    Scp = 2,
}

/// <summary>Why an association was rejected (PS3.8 Table 9-21).</summary>
/// <param name="Result">1 for permanent, 2 for transient.</param>
/// <param name="Source">1 for the user of the service, 2 for the provider (ACSE), 3 for the provider (presentation).</param>
/// <param name="Reason">The reason, whose meaning depends on the source.</param>
internal readonly record struct Rejection(byte Result, byte Source, byte Reason)
{
    /// <summary>True when the peer may accept later: it has too many associations.</summary>
    public bool IsTransient => Result == 2;

    /// <summary>True when the peer does not know the called or the calling AE title.</summary>
    public bool IsOfAeTitle => Source == 1 && Reason is 3 or 7;

    /// <summary>The reason as a part of a sentence.</summary>
    public string Describe() => (Source, Reason) switch
    {
        (1, 2) => "it does not support the application context",
        (1, 3) => "it does not know the calling AE title",
        (1, 7) => "it does not know the called AE title",
        (2, 2) => "it does not support the protocol version",
        (3, 1) => "it is congested",
        (3, 2) => "it allows no more associations",
        _ => IsTransient ? "it accepts no association now" : "without a reason",
    };
}
