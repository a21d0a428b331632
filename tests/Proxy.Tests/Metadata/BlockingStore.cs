using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Tests.Metadata;

/// <summary>The store for tests without asynchronous code: each call waits for its end.</summary>
internal static class BlockingStore
{
    public static bool Flush(this DicomMetadataStore store, bool withUses = false) => store.FlushAsync(withUses).GetAwaiter().GetResult();

    public static void Shrink(this DicomMetadataStore store) => store.ShrinkAsync().GetAwaiter().GetResult();

    public static bool RemoveStudy(this DicomMetadataStore store, Uid study) => store.RemoveStudyAsync(study).GetAwaiter().GetResult();

    public static bool RemoveAll(this DicomMetadataStore store) => store.RemoveAllAsync().GetAwaiter().GetResult();

    public static bool RemoveBackend(this DicomMetadataStore store, string backend) =>
        store.RemoveBackendAsync(backend).GetAwaiter().GetResult();

    public static IReadOnlyList<Uid> ReadUids(this DicomMetadataStore store) =>
        store.ReadUidsAsync(CancellationToken.None).ToBlockingEnumerable().ToList();

    public static IReadOnlyList<Study> ReadStudies(this DicomMetadataStore store) =>
        store.ReadStudiesAsync(CancellationToken.None).ToBlockingEnumerable().ToList();
}
