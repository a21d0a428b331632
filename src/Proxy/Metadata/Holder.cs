namespace Proxy.Metadata;

/// <summary>A backend that has a series, with the values by which holders of the same series are ordered.</summary>
/// <param name="Backend">The name of the backend.</param>
/// <param name="Count">The number of instances that it has of the series.</param>
/// <param name="Preference">The preference of the backend; the lower number wins.</param>
public readonly record struct Holder(string Backend, int Count, int Preference)
{
    /// <summary>Orders holders: more instances first, then the lower preference, then the name.</summary>
    public static IComparer<Holder> Order { get; } = Comparer<Holder>.Create(Compare);

    /// <inheritdoc cref="Order"/>
    public static int Compare(Holder left, Holder right)
    {
        var order = right.Count.CompareTo(left.Count);
        if (order == 0) order = left.Preference.CompareTo(right.Preference);
        return order != 0 ? order : string.CompareOrdinal(left.Backend, right.Backend);
    }
}
