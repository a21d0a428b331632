using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Dimse.Protocol;

/// <summary>The presentation contexts that an association proposes, at most 128.</summary>
/// <remarks>
/// A context carries one accepted syntax, which the peer chooses. So that instances can be sent as they are stored, each compressed
/// syntax has a context of its own; the uncompressed ones share one.
/// </remarks>
/// <param name="Name">Identifies the contexts: equal for equal proposals.</param>
/// <param name="Contexts">The contexts.</param>
/// <param name="Roles">The roles: the proxy receives instances of the storage classes (PS3.7 §D.3.3.4).</param>
internal sealed record ContextPlan(string Name, ImmutableArray<PresentationContext> Contexts, ImmutableArray<RoleSelection> Roles)
{
    /// <summary>Big endian is never proposed: it was retired.</summary>
    private static readonly ImmutableArray<string> ForQueries = [TransferSyntax.ImplicitLittleEndian, BodyFormat.ExplicitLittleEndian];

    /// <summary>Compressed syntaxes, the frequent ones first.</summary>
    private static readonly ImmutableArray<string> Compressed =
    [
        "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.201",
        "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103",
        "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.1.99",
    ];

    /// <summary>The storage classes to propose when those of a series are not known, the frequent ones first (PS3.4 §B.5).</summary>
    private static readonly ImmutableArray<string> UsualClasses =
    [
        .. new[]
        {
            "2", "4", "7", "1.1", "1", "1.2", "6.1", "3.1", "128", "20", "12.1", "12.2", "2.1", "4.1", "7.4", "7.2", "66.4", "88.11",
            "88.22", "88.33", "88.59", "88.67", "104.1", "13.1.3", "13.1.4", "13.1.1", "77.1.4", "77.1.1", "77.1.6", "77.1.5.1", "481.1",
            "481.2", "481.3", "481.5", "11.1", "130", "66.1", "66.2", "9.1.1", "6.2",
        }.Select(end => "1.2.840.10008.5.1.4.1.1." + end),
    ];

    /// <summary>C-ECHO and C-FIND.</summary>
    public static ContextPlan Queries { get; } = Create(
        "queries", [(SopClass.Verification, ForQueries), (SopClass.StudyRootFind, ForQueries)], []);

    /// <summary>C-MOVE: the instances arrive on other associations.</summary>
    public static ContextPlan Moves { get; } = Create("moves", [(SopClass.StudyRootMove, ForQueries)], []);

    /// <summary>C-GET with instances of some classes as they are stored.</summary>
    /// <param name="classes">The SOP classes; empty when they are not known.</param>
    /// <param name="isUncompressed">True to receive uncompressed instances only.</param>
    public static ContextPlan ForRetrieval(IReadOnlyCollection<string> classes, bool isUncompressed)
    {
        // Seven known classes with all syntaxes are 119 contexts; more classes share one context for what is compressed.
        var isKnown = classes.Count is > 0 and <= 7;
        var storage = (classes.Count > 0 ? classes.Order() : UsualClasses.AsEnumerable()).ToList();
        var contexts = new List<(string, ImmutableArray<string>)> { (SopClass.StudyRootGet, ForQueries) };
        foreach (var sopClass in storage)
        {
            contexts.Add((sopClass, [BodyFormat.ExplicitLittleEndian]));
            if (isUncompressed) continue;
            if (isKnown) contexts.AddRange(Compressed.Select(syntax => (sopClass, ImmutableArray.Create(syntax))));
            else contexts.Add((sopClass, Compressed));
        }
        // For archives that do not know Explicit VR Little Endian, or do not convert to it.
        contexts.AddRange(storage.Select(sopClass => (sopClass, ImmutableArray.Create(TransferSyntax.ImplicitLittleEndian))));
        var name = $"{(isUncompressed ? "uncompressed" : "stored")} {(classes.Count > 0 ? string.Join(' ', storage) : "usual")}";
        return Create(name, contexts.Take(AssociatePdu.MaxContexts), storage);
    }

    /// <summary>C-STORE of instances of one class, as they are.</summary>
    public static ContextPlan ForStorage(string sopClass, string transferSyntax) =>
        Create($"store {sopClass} {transferSyntax}", [(sopClass, [transferSyntax])], []);

    /// <summary>
    /// Answers the contexts of a peer that stores instances here: storage classes and C-ECHO, each with the first known transfer syntax;
    /// Implicit VR only where nothing else is proposed.
    /// </summary>
    /// <param name="proposed">The proposed contexts.</param>
    /// <param name="isUncompressed">True to receive uncompressed instances only.</param>
    public static ImmutableArray<PresentationContext> Accept(IEnumerable<PresentationContext> proposed, bool isUncompressed)
    {
        return [.. proposed.Select(Answer)];

        PresentationContext Answer(PresentationContext context)
        {
            if (context.AbstractSyntax != SopClass.Verification && !SopClass.IsStorage(context.AbstractSyntax))
                return Refuse(context, ContextResult.AbstractSyntaxNotSupported);
            var syntax = context.TransferSyntaxes.FirstOrDefault(
                one => one == BodyFormat.ExplicitLittleEndian || !isUncompressed && Compressed.Contains(one));
            if (syntax is null && context.TransferSyntaxes.Contains(TransferSyntax.ImplicitLittleEndian))
                syntax = TransferSyntax.ImplicitLittleEndian;
            return syntax is null
                ? Refuse(context, ContextResult.TransferSyntaxesNotSupported)
                : context with { TransferSyntaxes = [syntax], Result = ContextResult.Acceptance };
        }

        // The transfer syntax of a rejected context has no meaning, but must be there (PS3.8 §9.3.3.2).
        static PresentationContext Refuse(PresentationContext context, ContextResult result) =>
            context with { TransferSyntaxes = [TransferSyntax.ImplicitLittleEndian], Result = result };
    }

    private static ContextPlan Create(
        string name, IEnumerable<(string SopClass, ImmutableArray<string> Syntaxes)> contexts, IEnumerable<string> received) => new(
        name,
        [.. contexts.Select((context, i) => new PresentationContext((byte)(2 * i + 1), context.SopClass, context.Syntaxes))],
        [.. received.Select(sopClass => new RoleSelection(sopClass, DimseRoles.Scp))]);
}
