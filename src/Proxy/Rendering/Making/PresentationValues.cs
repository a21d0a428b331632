using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Imaging.Presentation;
using Proxy.Operations;
using Proxy.Retrieve;
using Proxy.Wire;

namespace Proxy.Rendering.Making;

/// <summary>Reads the lookup tables and the colour profile that a dataset holds as bulk data.</summary>
internal sealed class PresentationValues(BulkDataReader reader, BackendSet backends)
{
    /// <summary>The limit of one value in bytes: a palette has 128 KiB, a profile up to a few MiB.</summary>
    private const int MaxBytes = 8 << 20;

    private static readonly BulkDataForms AnyForm = BulkDataForms.Read(Accept.Parse(null));

    /// <summary>The values by URI; a value that its backend does not give is missing.</summary>
    /// <param name="backend">The backend of the dataset.</param>
    /// <param name="json">The dataset of the instance.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    public async Task<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadAsync(
        string backend, ReadOnlyMemory<byte> json, CancellationToken cancellation)
    {
        var values = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var uri in ImagePresentation.FindUris(json.Span))
        {
            if (!BulkDataPath.TryReadLink(uri, out var item) || item.Backend != backend) continue;
            if (backends.Find(backend) is not { } options) continue;
            using var result = await reader.ReadAsync(options, item, AnyForm, cancellation);
            if (result.Body is not { } body || body.Head.Length > MaxBytes) continue;
            var value = new MemoryStream();
            try
            {
                for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty && value.Length <= MaxBytes;)
                    value.Write(piece.Span);
            }
            catch (TruncatedBodyException)
            {
                continue;
            }
            if (value.Length <= MaxBytes) values[uri] = value.ToArray();
        }
        return values;
    }

    /// <summary>The presentations of consecutive frames, read once for a picture.</summary>
    /// <param name="First">The number of the first frame, from 1.</param>
    /// <param name="Count">The number of frames.</param>
    public sealed record Frames(int First, int Count)
    {
        private string? _backend;
        private ImmutableArray<ImagePresentation> _presentations = [];

        /// <summary>The presentation of a frame.</summary>
        /// <param name="values">Reads bulk data.</param>
        /// <param name="backend">The backend that gave the frame.</param>
        /// <param name="json">Its dataset of the instance.</param>
        /// <param name="number">The frame number.</param>
        /// <param name="cancellation">Cancels the reading.</param>
        public async Task<ImagePresentation> GetAsync(
            PresentationValues values, string backend, ReadOnlyMemory<byte> json, int number, CancellationToken cancellation)
        {
            if (_backend != backend)
            {
                var bulk = await values.ReadAsync(backend, json, cancellation);
                (_backend, _presentations) = (backend, ImagePresentation.ReadFrames(json.Span, First, Count, bulk));
            }
            return _presentations[number - First];
        }
    }
}
