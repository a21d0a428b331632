using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Backends;

/// <summary>A request to store instances at one backend (PS3.18 §10.5).</summary>
/// <param name="Study">The study that the instances must belong to; null for any.</param>
/// <param name="Form">The media type of the body with its boundary.</param>
/// <param name="Length">The length of the body in bytes; null when it is not known.</param>
/// <param name="Root">The DICOMweb root as the client addresses it: URLs in the answer are below it.</param>
/// <param name="IsXml">True to ask for the answer as XML instead of JSON.</param>
/// <param name="WriteAsync">
/// Writes the body into a stream, at most once. An exception that the stream did not throw means that the client failed.
/// </param>
public sealed record StoreRequest(
    Uid? Study, MediaType Form, long? Length, string Root, bool IsXml, Func<Stream, CancellationToken, Task> WriteAsync);

/// <summary>What the status of a backend says about the instances (PS3.18 Table 10.5.3-1).</summary>
public enum StoreStatus
{
    /// <summary>All were stored.</summary>
    Stored = 200,

    /// <summary>Some were stored, or stored with warnings.</summary>
    PartlyStored = 202,

    /// <summary>The request is not valid.</summary>
    Invalid = 400,

    /// <summary>None was stored.</summary>
    NotStored = 409,

    /// <summary>The body is too large for the backend.</summary>
    TooLarge = 413,

    /// <summary>The backend does not support the media type.</summary>
    UnsupportedForm = 415,
}

/// <summary>The answer of a backend to a <see cref="StoreRequest"/>.</summary>
/// <param name="Status">Its status.</param>
/// <param name="MediaType">The media type of <paramref name="Text"/>: DICOM JSON or XML.</param>
/// <param name="Text">One dataset for the client; empty for a refusal without a dataset.</param>
/// <param name="Instances">The instances that the Retrieve URLs (0008,1190) in the dataset name.</param>
public sealed record StoreAnswer(
    StoreStatus Status, string MediaType, ReadOnlyMemory<byte> Text, IReadOnlyList<InstancePath> Instances)
{
    /// <summary>
    /// The instances that the dataset says were stored, with their own Retrieve URL and without a warning: as they were sent, as far as
    /// the backend tells. A coercion is a warning (B000, PS3.18 Table I.2-2). Empty for an answer in XML.
    /// </summary>
    public IReadOnlySet<InstancePath> Unchanged { get; init; } = ImmutableHashSet<InstancePath>.Empty;
}

/// <summary>The outcome of a <see cref="StoreRequest"/>: an answer, or a failure of the backend or the client.</summary>
/// <param name="Answer">The answer; null if the backend gave no valid answer.</param>
/// <param name="Failure">The failure; null when the backend answered.</param>
/// <param name="ClientError">The exception that ended the writing of the body; null when the client did not fail.</param>
/// <param name="IsUnknown">True when the backend may have stored instances although it gave no usable answer.</param>
public sealed record StoreOutcome(StoreAnswer? Answer, BackendFailure? Failure, Exception? ClientError, bool IsUnknown);
