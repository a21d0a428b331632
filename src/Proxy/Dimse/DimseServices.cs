using Proxy.Backends;
using Proxy.Dimse.Receiving;
using Proxy.Dimse.Storing;

namespace Proxy.Dimse;

/// <summary>Registers the archive over DIMSE.</summary>
internal static class DimseServices
{
    /// <summary>Registers what asks a DIMSE backend.</summary>
    public static void AddDimse(this IServiceCollection services)
    {
        services.AddSingleton<DimseMetrics>();
        services.AddSingleton<DimseConnector>();
        services.AddSingleton<AssociationPool>();
        services.AddSingleton<DimseClient>();
        services.AddSingleton<DimseSearch>();
        services.AddSingleton<InstanceFiling>();
        services.AddSingleton<PendingMoves>();
        services.AddSingleton<MoveListener>();
        services.AddSingleton<InstanceRetrieval>();
        services.AddSingleton<SeriesRetrievals>();
        services.AddSingleton<InstanceStore>();
        services.AddKeyedSingleton<IArchive, DimseArchive>(BackendKind.Dimse);
    }
}
