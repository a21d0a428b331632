using Proxy.Operations;

namespace Proxy.Storing;

/// <summary>Settings for requests that store instances, <c>Store</c>.</summary>
/// <param name="Backend">
/// The backend that the root of all backends stores to; null to store to the backend that holds the study of the request.
/// </param>
/// <param name="MaxBytes">The largest body of a request, in bytes. Default 4 GiB. The body is streamed and uses no memory.</param>
public sealed record StoreOptions(string? Backend, long MaxBytes)
{
    /// <summary>4 GiB: fits a whole slide image or a long CT study.</summary>
    public const long DefaultMaxBytes = 4L << 30;

    /// <summary>Reads the section <c>Store</c>.</summary>
    public static StoreOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Store", "Backend", "MaxBytes");
        var backend = settings.FindText("Store:Backend");
        var names = settings.ReadNames("Backends").ToList();
        if (backend is not null && names.Count > 0 && !names.Contains(backend, StringComparer.OrdinalIgnoreCase))
            settings.AddError("Store:Backend", backend, "the name of a backend: one of " + string.Join(", ", names));
        return new(backend, settings.ReadNumber("Store:MaxBytes", DefaultMaxBytes, 1));
    }
}
