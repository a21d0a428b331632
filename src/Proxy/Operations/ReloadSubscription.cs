namespace Proxy.Operations;

/// <summary>What one service does when <typeparamref name="T"/> has changed at runtime.</summary>
/// <typeparam name="T">The options record of a feature, or a change that a reload causes.</typeparam>
internal sealed class ReloadSubscription<T>(Action<T> apply)
{
    public void Apply(T now) => apply(now);
}

/// <summary>Subscriptions to reloads, made where a service is registered.</summary>
internal static class ReloadSubscriptions
{
    /// <summary>
    /// Subscribes a service to the reloads of <typeparamref name="T"/>. Subscribers are called one after another, in the order of
    /// registration. The service is resolved then, so one that nothing has used yet also gets the new settings.
    /// </summary>
    public static void OnReload<T, TService>(this IServiceCollection services, Action<TService, T> apply) where TService : notnull =>
        services.AddSingleton(s => new ReloadSubscription<T>(now => apply(s.GetRequiredService<TService>(), now)));

    /// <summary>Calls the subscribers of <typeparamref name="T"/>.</summary>
    public static void AnnounceReload<T>(this IServiceProvider services, T now)
    {
        foreach (var subscription in services.GetServices<ReloadSubscription<T>>()) subscription.Apply(now);
    }
}
